"""A fresh page of a browser that runs one of edgekit's scripts."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from edgekit.common.serving import Handler, server
from edgekit.core import Facts
from edgekit.errors import DeviceFailed
from edgekit.targets.web.chromium.browser import processes

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


if TYPE_CHECKING:
    from playwright.sync_api import Browser


def run(
    browser: Browser,
    served: Path,
    content: Callable[[str], bytes | None],
    script: Path,
    asked: Facts,
    *,
    isolated: bool,
) -> tuple[Any, dict[str, bytes], int]:
    """What a script gives for what it is asked, what it posted, and the bytes of memory that the page took at most.

    Args:
        served, content, isolated: see `edgekit.targets.web.chromium.pages.serve`.

    Raises:
        DeviceFailed: the script or the browser failed.
    """
    from playwright.sync_api import Error

    with serve(served, content, isolated=isolated) as (address, posted):
        page = browser.new_page()
        try:
            page.goto(f"{address}index.html")
            said = page.evaluate(script.read_text(encoding="utf-8"), asked)
        except Error as exc:
            raise DeviceFailed(f"the browser failed: {exc.message.strip().splitlines()[0][:300]}") from exc
        return said, posted, _peak(browser)


def _peak(browser: Browser) -> int:
    """Bytes of memory that the page's process took at most; 0 where the system does not tell."""
    return max(map(_peak_of, processes(browser, "renderer")), default=0)


def _peak_of(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
