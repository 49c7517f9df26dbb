"""A browser: onnxruntime-web in a page of Chromium, in WASM on one thread, in a worker, from a server on loopback."""

from __future__ import annotations

import functools
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from asked import Question, questions, tell
from playwright.sync_api import Browser, sync_playwright

NAME = "Chromium"
WHAT = "onnxruntime-web {version} (WASM, one thread) in a page of Debian's Chromium"
FORMS = ("laptop-int8", "laptop-fp16", "laptop-fp32")
FILES = (".onnx",)
TIMEOUT = 240
PYTHON = ".venv-chromium"
PACKAGE = "onnxruntime-web"

DIST = Path("build/judges/web/node_modules/onnxruntime-web/dist")
WORKER = Path(__file__).parent / "chromium" / "worker.js"
_START = """(calls) => new Promise((done) => {
    const worker = new Worker("/worker.js", {type: "module"});
    worker.onmessage = (event) => done(event.data);
    worker.onerror = (event) => done({reason: `the worker ended: ${event.message}`});
    worker.postMessage(calls);
})"""


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, with the types that its names say, and keeps there what is posted."""

    def do_POST(self) -> None:
        Path(self.directory, Path(self.path).name).write_bytes(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are not logged."""


def ask(question: Question, browser: Browser) -> None:
    """The question as files in a folder, a server of that folder, a page from it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "index.html").write_text("<!doctype html><title>judge</title>")
        for name, target in (("worker.js", WORKER), ("network", question.file), ("dist", DIST)):
            (folder / name).symlink_to(target.resolve())
        for call, feeds in enumerate(question.inputs):
            for i, value in enumerate(feeds.values()):
                (folder / f"in-{call}-{i}").write_bytes(np.ascontiguousarray(value).tobytes())
        with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=place)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
            said = [[[name, str(value.dtype), value.shape] for name, value in one.items()] for one in question.inputs]
            told = page.evaluate(_START, said)
            page.close()
            server.shutdown()
        if "reason" in told:
            tell(question, "", reason=told["reason"][:240])
            return
        outputs: list[dict[str, Any]] = [{} for _ in question.inputs]
        for call, name, dtype, shape, file in told["outputs"]:
            outputs[call][name] = np.fromfile(folder / file, dtype).reshape(shape)
    times = f"load {told['load']:.0f} ms, least run {min(told['runs']):.1f} ms (others work here: no measurement)"
    tell(question, told["version"], outputs, detail=f"{question.file.stat().st_size / 1e6:.1f} MB; {times}")


if __name__ == "__main__":
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for question in questions():
            ask(question, browser)
        browser.close()
