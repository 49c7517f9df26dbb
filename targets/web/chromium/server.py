"""A server on this machine alone, for one measurement: files by name, and a place for what the page answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

__all__ = ["serve"]

_TYPES = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
_ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
#: Bytes of an answer, at most.
_MOST = 1 << 30


@contextlib.contextmanager
def serve(
    files: Mapping[str, Path | bytes], more: Callable[[str], bytes | None], *, isolated: bool
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a server of `files`, and what the page has posted to it, by name.

    Args:
        files: name -> file, or its content; nothing else can be read. more: name -> content that is made when it is
            asked for, or None. isolated: with the headers that threads of WebAssembly need.
    """
    posted: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(self.path.partition("?")[0]).removeprefix("/")
            held = files[name] if name in files else more(name)
            if held is None:
                self.send_error(404)
                return
            content = held.read_bytes() if isinstance(held, Path) else held
            self.send_response(200)
            self.send_header("Content-Type", _TYPES.get(Path(name).suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            for header, value in _ISOLATION.items() if isolated else ():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if size > _MOST:
                self.send_error(413)
                return
            posted[unquote(self.path).removeprefix("/")] = self.rfile.read(size)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002  the library's name
            """A measurement prints no requests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", posted
        finally:
            server.shutdown()
