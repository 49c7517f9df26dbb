"""A browser: onnxruntime-web in a page of Chromium, in WASM on one thread, in a worker, from a server on loopback."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from asked import Question, questions, tell
from playwright.sync_api import sync_playwright

NAME = "Chromium"
WHAT = "onnxruntime-web {version} (WASM, one thread) in a page of Debian's Chromium: the browser's arithmetic, for real"
FORMS = ("laptop-int8", "laptop-fp16", "laptop-fp32")
FILES = (".onnx",)
TIMEOUT = 240
PYTHON = ".venv-chromium"
PACKAGE = "onnxruntime-web"

DIST = Path("build/judges/web/node_modules/onnxruntime-web/dist")
WORKER = Path(__file__).parent / "chromium" / "worker.js"
BROWSER = "/usr/bin/chromium"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
_START = """(message) => new Promise((done) => {
    const worker = new Worker("/worker.js", {type: "module"});
    const end = (answer) => { worker.terminate(); done(answer); };
    worker.onmessage = (event) => end(event.data);
    worker.onerror = (event) => end({reason: `the worker ended: ${event.message}`});
    worker.postMessage(message);
})"""


class Server(ThreadingHTTPServer):
    """Serves the runtime and a question; takes its outputs."""

    question: Question
    outputs: list[dict[str, Any]]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        kind = _TYPES.get(Path(path).suffix, "application/octet-stream")
        if path == "/":
            self._send(b"<!doctype html><title>judge</title>", "text/html")
        elif path == "/worker.js":
            self._send(WORKER.read_bytes(), kind)
        elif path == "/network":
            self._send(self.server.question.file.read_bytes(), kind)
        elif path.startswith("/in/"):
            _, _, call, name = path.split("/", 3)
            self._send(np.ascontiguousarray(self.server.question.inputs[int(call)][name]).tobytes(), kind)
        elif (file := DIST / Path(path).name).is_file():
            self._send(file.read_bytes(), kind)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        _, _, call, name = unquote(url.path).split("/", 3)
        dtype, _, dims = url.query.partition("&")
        body = self.rfile.read(int(self.headers["content-length"]))
        shape = [int(size) for size in dims.split(",") if size]
        self.server.outputs[int(call)][name] = np.frombuffer(body, dtype).reshape(shape)
        self._send(b"", "text/plain")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


@contextlib.contextmanager
def served() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()


def main() -> None:
    with served() as server, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for question in questions():
            server.question, server.outputs = question, [{} for _ in question.inputs]
            calls = [
                [{"name": name, "dtype": str(value.dtype), "shape": list(value.shape)} for name, value in feeds.items()]
                for feeds in question.inputs
            ]
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            told = page.evaluate(_START, {"calls": calls})
            page.close()
            if "reason" in told:
                tell(question, "", reason=told["reason"][:240])
                continue
            load, run = told["load"], min(told["runs"])
            size = question.file.stat().st_size / 1e6
            detail = f"{size:.1f} MB; load {load:.0f} ms, least run {run:.1f} ms (others work here: no measurement)"
            tell(question, told["version"], server.outputs, detail=detail)
        browser.close()


if __name__ == "__main__":
    main()
