"""A server on this machine alone, for one measurement: a folder, content by name, and a place for answers."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from edgekit.common.serving import Handler, server

#: Bytes of an answer, at most.
_MOST = 1 << 30


@contextlib.contextmanager
def serve(
    folder: Path, content: Callable[[str], bytes | None], *, isolated: bool
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a server of `folder`, and what the page has posted to it, by name.

    Args:
        content: name -> what is made when it is asked for; None for files of the folder. isolated: with the headers
            that threads of WebAssembly need.
    """
    posted: dict[str, bytes] = {}

    class Replaying(Handler):
        def send_head(self) -> Any:
            body = content(unquote(self.path).removeprefix("/"))
            if body is None:
                return super().send_head()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.left = len(body)
            return io.BytesIO(body)

        def do_POST(self) -> None:  # noqa: N802  the library's name
            size = int(self.headers.get("Content-Length", 0))
            if size > _MOST:
                self.send_error(413)
                return
            posted[unquote(self.path).removeprefix("/")] = self.rfile.read(size)
            self.send_response(204)
            self.end_headers()

    with server(folder, isolated=isolated, handler=Replaying) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}/", posted
        finally:
            running.shutdown()
