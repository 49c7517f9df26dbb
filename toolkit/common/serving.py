"""A server of a folder for browsers: on this machine alone unless asked, with the headers that threads need.

Files are sent, also parts of them; nothing is listed, no path or link leads out of the folder, and no name that begins
with a dot is there. Only who names this machine as the server does gets an answer.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from edgekit.errors import BadInput

#: Threads in WebAssembly need a page that no other origin can reach into.
_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Said here, for what a system's own table says differs.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    **dict.fromkeys((".js", ".mjs"), "text/javascript; charset=utf-8"),
    ".wasm": "application/wasm",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: Names of this machine for itself.
_OWN = ("localhost", "127.0.0.1", "::1")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Handler(SimpleHTTPRequestHandler):
    """What a browser asks for, of one folder."""

    protocol_version = "HTTP/1.1"
    #: Head and body are sent apart: the body must not wait 40 ms for the browser to have acknowledged the head.
    disable_nagle_algorithm = True
    server_version, sys_version = "edgekit", ""
    #: Seconds until a silent browser is let go.
    timeout = 60

    def __init__(self, *given: Any, root: Path, headers: dict[str, str], host: str) -> None:
        self.root, self.extra, self.host = root, headers, host.lower()
        super().__init__(*given, directory=str(root))

    def end_headers(self) -> None:
        for name, value in {**self.extra, "X-Content-Type-Options": "nosniff"}.items():
            self.send_header(name, value)
        super().end_headers()

    def parse_request(self) -> bool:
        """A page elsewhere can have its own name lead to this machine: what it asks bears that name, and is refused."""
        if not super().parse_request():
            return False
        named = self.headers.get_all("Host", [])
        if len(named) == 1 and _host_in(named[0]) in (*_OWN, self.host, self.connection.getsockname()[0]):
            return True
        self.close_connection = True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST if len(named) == 1 else HTTPStatus.BAD_REQUEST, explain=_NAME)
        return False

    def send_head(self) -> Any:
        """Headers of a file or of the part that is asked for; the file, at the part's beginning."""
        try:
            file = self._file()
            facts, source = file.stat(), file.open("rb")
        except (OSError, ValueError):  # nothing there, or a zero byte, or a name that is too long
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if self._begin(file.suffix.lower(), facts.st_size, int(facts.st_mtime)):
            source.seek(self.begin)
            return source
        source.close()
        return None

    def _begin(self, suffix: str, size: int, changed_at: int) -> bool:
        """Send the headers of a file, and say whether any of its bytes follow them."""
        changed = self.date_time_string(changed_at)
        begin, end = _part(self.headers.get("Range", ""), size)
        whole = (begin, end) == (0, size)
        if self.headers.get("If-Modified-Since") == changed and whole:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return False
        if begin >= end and not whole:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
        if not whole:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", changed)
        self.send_header("Cache-Control", "no-cache")  # a folder that is worked on: what is kept is asked for again
        self.end_headers()
        self.begin, self.left = begin, end - begin
        return True

    def copyfile(self, source: Any, outputfile: Any) -> None:
        while self.left and (piece := source.read(min(self.left, 1 << 16))):
            outputfile.write(piece)
            self.left -= len(piece)

    def _file(self) -> Path:
        """The file of the address. Raises OSError or ValueError where there is none inside the folder."""
        asked = unquote(urlsplit(self.path).path).lstrip("/")
        file = (self.root / asked).resolve()
        file = (file / "index.html").resolve() if file.is_dir() else file
        steps = (*Path(asked).parts, *file.relative_to(self.root).parts)
        if any(step.startswith(".") for step in steps) or not file.is_file():
            raise FileNotFoundError(asked)
        return file

    def log_message(self, *_: Any) -> None:
        """Quiet: the terminal is the user's."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


#: What a browser shows whose address is not this machine's.
_NAME = "This server answers to the address that it printed. Another name: edgekit serve FOLDER --host NAME"


def _host_in(header: str) -> str:
    """The name or the address in a Host header, without its port."""
    return re.sub(r":\d*$", "", header.strip()).removesuffix(".").strip("[]").lower()


def _part(asked: str, size: int) -> tuple[int, int]:
    """Begin and end of the bytes that a Range header asks for; all where it is none, or several."""
    found = _RANGE.fullmatch(asked.strip())
    if not found or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)


def server(
    folder: Path, host: str = "127.0.0.1", port: int = 0, *, isolated: bool = True, handler: type[Handler] = Handler
) -> ThreadingHTTPServer:
    """A server of the folder that has its port and waits for `serve_forever`.

    Raises:
        BadInput: there is no such folder, or the host and port cannot be had.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.", hint="Such as: edgekit package BUNDLE --as page")
    try:
        headers = _ISOLATION if isolated else {}
        return _Server((host, port), partial(handler, root=folder.resolve(), headers=headers, host=host))
    except (OSError, OverflowError) as exc:
        raise BadInput(f"{host}:{port} cannot be had: {exc}.", hint="A free port: --port 0") from exc
