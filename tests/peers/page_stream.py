"""Does a page's memory stay what it is while it listens for an hour? In Chromium, as fast as the model takes the sound.

    python tests/peers/page_stream.py PAGE FILE [--minutes 60] [--limit 600]

PAGE is a folder that `edgekit package BUNDLE --as page` wrote of a model that listens: wake words, speech detection or
speech to text. FILE, 16 kHz, is fed again and again, in pieces of 0.1 s, for so many minutes of sound or seconds of
this machine. Ends with 1 where the page's process took over 20 MB more in the second half than in the first, without
the first minute of sound (medians: what is garbage goes when the browser likes).
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import soundfile
from page_visits import LIMIT, NOTE_TASKS, memory_of

from edgekit.common.serving import server
from edgekit.targets.web.chromium.browser import launch, processes

MOST = 20e6
FEED = """async (sound) => {
  const { [document.documentElement.dataset.api]: Api } = await import("/lib/index.js"), model = await Api.load();
  const values = Float32Array.from(sound), step = 1600;
  Object.assign(globalThis, { heard: 0, answers: 0 });
  async function* pieces() {
    for (let at = 0; ; at = at + 2 * step > values.length ? 0 : at + step) {
      yield values.slice(at, at + step);
      heard += 0.1;
    }
  }
  const listen = async () => {
    for await (const answer of (model.stream ?? model.listen ?? model.detect).call(model, pieces())) answers++;
  };
  listen().catch((error) => (globalThis.failed = String(error)));
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=600.0)
    options = parser.parse_args()
    seen = stream(options.page, options.file, 60 * options.minutes, options.limit)
    for heard, taken in seen[:: max(1, len(seen) // 12)]:
        print(f"  {heard / 60:6.1f} min of sound  {taken / 1e6:6.0f} MB")
    warm = [taken for heard, taken in seen if heard >= 60]
    halves = [statistics.median(half) for half in (warm[: len(warm) // 2], warm[len(warm) // 2 :])]
    print(f"after a minute {min(warm) / 1e6:.0f} to {max(warm) / 1e6:.0f} MB; medians of the halves:", end=" ")
    print(" and ".join(f"{half / 1e6:.0f}" for half in halves), "MB")
    raise SystemExit(halves[1] - halves[0] > MOST)


def stream(folder: Path, file: Path, sound: float, limit: float) -> list[tuple[float, int]]:
    """Seconds of sound that the page heard -> bytes that its process took then."""
    values, rate = soundfile.read(file, dtype="float32")
    assert rate == 16000 and values.ndim == 1, "take a sound of 16 kHz with one channel"
    seen: list[tuple[float, int]] = []
    with server(folder) as running, launch(limit=limit + 2 * LIMIT) as browser:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        page: Any = browser.new_page()
        page.add_init_script(NOTE_TASKS)
        page.goto(f"http://127.0.0.1:{running.server_address[1]}/")
        page.wait_for_selector("#inputs:not([hidden])", timeout=LIMIT * 1000)
        page.evaluate(FEED, values.tolist())
        end = time.perf_counter() + limit
        while (not seen or seen[-1][0] < sound) and time.perf_counter() < end:
            page.wait_for_timeout(1000)
            heard, answers, failed = page.evaluate("[heard, answers, globalThis.failed]")
            assert not failed, failed
            seen.append((heard, max(memory_of(one, "VmRSS") for one in processes(browser, "renderer"))))
        longest = page.evaluate("Math.max(...long)")
        print(f"{heard / 60:.1f} minutes of sound, {answers} answers, longest task of the page {longest:.0f} ms")
        running.shutdown()
    return seen


if __name__ == "__main__":
    main()
