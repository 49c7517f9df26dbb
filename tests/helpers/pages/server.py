"""A web server on loopback that can misbehave in the ways that real ones do."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served, how, and what was asked for.

    Attributes:
        files: path -> body. redirects: path -> address. status: path -> an error code.
        breaks: after how many bytes each of the next bodies breaks off.
        ranges: whether Range is honoured. tags: whether an ETag is sent. lengths: whether Content-Length is.
        gate: after the first block of 16 KiB, a body waits for it.
        requests: (path, headers) in order.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    tags: bool = True
    lengths: bool = True
    gate: threading.Event | None = None
    requests: list[tuple[str, Message]] = field(default_factory=list)
    url: str = ""
    sent: int = 0


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve `site` at `site.url` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            site.requests.append((path, self.headers))
            if path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[path])
                self.end_headers()
            elif path in site.status or path not in site.files:
                self.send_response(site.status.get(path, 404))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                with contextlib.suppress(ConnectionError):
                    self._body(site.files[path])

        def _body(self, body: bytes) -> None:
            tag = f'"{hash(body)}"'
            bounded = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if bounded and site.ranges:
                held = body[int(bounded[1]) : int(bounded[2]) + 1]
                self.send_response(206)
                self.send_header("Content-Length", str(len(held)))
                last = int(bounded[1]) + len(held) - 1
                self.send_header("Content-Range", f"bytes {bounded[1]}-{last}/{len(body)}")
                self.end_headers()
                self.wfile.write(held)
                site.sent += len(held)
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked and site.ranges and self.headers.get("If-Range", tag) == tag else 0
            if start and start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if site.tags:
                self.send_header("ETag", tag)
            if site.lengths:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = start + site.breaks.pop(0) if site.breaks else len(body)
            for at in range(start, min(end, len(body)), 1 << 14):
                self.wfile.write(body[at : min(at + (1 << 14), end)])
                site.sent += 1 << 14
                if site.gate:
                    site.gate.wait(30)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
