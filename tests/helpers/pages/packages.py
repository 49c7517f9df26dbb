"""Packages for browsers in tests: where the runtime is, a patient Chromium, a server that notes what it is asked."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import absent
from helpers.pages.browser import INSTALL, Browser, program

from edgekit.common.serving import Handler, server

_INSTALLED = Path(__file__).parents[3] / "build" / "judges" / "web" / "node_modules" / "onnxruntime-web"
#: Option of the forms, where the judges have the package; else npm fetches it, once.
RUNTIME = {"onnxruntime-web": str(_INSTALLED)} if _INSTALLED.is_dir() else {}
#: Flags for a browser with a microphone and a camera that nobody must allow.
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


def chromium(profile: Path, *flags: str) -> Iterator[Browser]:
    """For a fixture: a browser in which models take their time."""
    if program() is None:
        absent(f"there is no Chromium; {INSTALL}")
    with Browser(profile, 180.0, flags) as found:
        yield found


def until(condition: str, seconds: int = 60) -> str:
    """A script that waits for a condition, and gives its value."""
    return f"""new Promise((done, fail) => {{
      const begin = performance.now(), look = () => {{
        const value = {condition};
        const late = performance.now() - begin > {1000 * seconds};
        value ? done(value) : late ? fail(new Error(document.body.innerText)) : setTimeout(look, 20);
      }};
      look();
    }})"""


#: A script that loads what `package` holds (tests/targets/web/conftest.py), and says how that went.
LOAD = """(async () => {
  const { WakeWordDetector } = await import("/words/index.js"), stages = {}, begin = performance.now();
  const detector = await WakeWordDetector.load({ progress: (stage, share) => (stages[stage] = share) });
  globalThis.detector = detector;
  return { stages, words: detector.words, rate: detector.rate, kept: await caches.keys() };
})()"""


@dataclass
class Site:
    """A server, what it was asked for, the Range of each request ("": all), and the bytes that it sent by path."""

    address: str
    asked: list[str] = field(default_factory=list)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)


@contextmanager
def serving(folder: Path, *, cut: str = "", isolated: bool = True, port: int = 0) -> Iterator[Site]:
    """Serve a folder. cut: the end of an address that breaks off in its middle, unless a part of it is asked for."""
    site = Site("")

    class Noting(Handler):
        def send_head(self) -> Any:
            site.asked.append(self.path)
            site.ranges.append((self.path, self.headers.get("Range", "")))
            return super().send_head()

        def copyfile(self, source: object, outputfile: object) -> None:
            if cut and self.path.endswith(cut) and "Range" not in self.headers:
                self.left //= 2
                self.close_connection = True
            site.sent[self.path] += self.left
            super().copyfile(source, outputfile)
            if self.close_connection:
                time.sleep(0.2)  # the browser reads what came before it hears that no more will come

    with server(folder, port=port, isolated=isolated, handler=Noting) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        site.address = f"http://127.0.0.1:{running.server_address[1]}/"
        yield site
        running.shutdown()
