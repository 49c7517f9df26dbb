"""A browser: onnxruntime-web in a page of Chromium, in WASM on one thread, from a server on loopback."""

from __future__ import annotations

import base64
import functools
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from asked import Question, questions, tell
from playwright.sync_api import Browser, Error, sync_playwright

from edgekit.targets.web.npm_files import ONNXRUNTIME_WEB

_PAGE = Path(__file__).with_suffix(".js")


@contextmanager
def served(question: Question) -> Iterator[str]:
    """The address of a server of the runtime, the network and its inputs. It knows the types by the names of files."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "index.html").write_text("<!doctype html><title>judge</title>")
        for name, target in (("network", question.file), ("dist", ONNXRUNTIME_WEB.find() / "dist")):
            Path(place, name).symlink_to(target.resolve())
        for call, feeds in enumerate(question.inputs):
            for i, value in enumerate(feeds.values()):
                np.ascontiguousarray(value).tofile(Path(place, f"in-{call}-{i}"))
        handler = functools.partial(SimpleHTTPRequestHandler, directory=place)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/"
            server.shutdown()


def ask(question: Question, browser: Browser) -> None:
    said = [[[name, str(value.dtype), value.shape] for name, value in one.items()] for one in question.inputs]
    with served(question) as address, browser.new_page() as page:
        page.goto(address)
        told = page.evaluate(_PAGE.read_text(encoding="utf-8"), said)
    outputs: list[dict[str, Any]] = [{} for _ in question.inputs]
    for call, name, dtype, shape, data in told["outputs"]:
        outputs[call][name] = np.frombuffer(base64.b64decode(data), dtype).reshape(shape)
    times = f"load {told['load']:.0f} ms, least run {min(told['runs']):.1f} ms (others work here: no measurement)"
    tell(question, told["version"], outputs, detail=f"{question.file.stat().st_size / 1e6:.1f} MB; {times}")


if __name__ == "__main__":
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for question in questions():
            try:
                ask(question, browser)
            except Error as error:
                tell(question, "", reason=error.message.strip().splitlines()[0][:240])
        browser.close()
