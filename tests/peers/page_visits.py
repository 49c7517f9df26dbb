"""What a visitor of a packaged page waits for, in Chromium: the first visit, one from the cache, an answer, memory, and
the longest task that held the page (its worker computes beside it).

    python tests/peers/page_visits.py PAGE FILE [--rounds 3] [--json OUT]

PAGE is a folder that `edgekit package BUNDLE --as page` wrote, FILE an input that it takes. Each round begins with an
empty profile, which keeps what a visitor's does: a private window has no compiled WebAssembly. Pages with and without
isolation (threads) take turns. Over loopback: a network is not in the times.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from edgekit.common.serving import server
from edgekit.targets.web.chromium.browser import processes, program

#: Seconds after which a page counts as hung.
LIMIT = 180.0
#: Notes in a page the milliseconds of its tasks that took more than 50.
NOTE_TASKS = """globalThis.long = [0];
new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe(
  { type: "longtask", buffered: true });"""
NAMES = ("first visit: ready", "first visit: answered", "from the cache: ready", "from the cache: answered", "answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"one thread": [], "isolated": []}
    for number in range(options.rounds):
        for isolated in (False, True) if number % 2 == 0 else (True, False):
            found["isolated" if isolated else "one thread"].append(visits(options.page, options.file, isolated))
    for setting, rounds in found.items():
        print(f"{setting}: {rounds[0]['text'][:120]!r}")
        for name in NAMES:
            values = [value for one in rounds for value in one["seconds"][name]]
            print(f"  {name:26} {statistics.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")
        megabytes = [one["peak"] / 1e6 for one in rounds]
        spread = f"({min(megabytes):.0f} to {max(megabytes):.0f})"
        print(f"  {'memory of the page, peak':26} {statistics.median(megabytes):6.0f} MB {spread}")
        print(f"  {'longest task of the page':26} {max(one['longest'] for one in rounds):6.0f} ms  (0: none above 50)")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def visits(folder: Path, file: Path, isolated: bool) -> dict[str, Any]:
    """A first visit and one from the cache, with two answers each, in a fresh browser."""
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    with (
        server(folder, isolated=isolated) as running,
        tempfile.TemporaryDirectory() as profile,
        sync_playwright() as tool,
    ):
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address, text, peak, longest = f"http://127.0.0.1:{running.server_address[1]}/", "", 0, 0
        context = tool.chromium.launch_persistent_context(profile, executable_path=program(""), chromium_sandbox=False)
        assert context.browser is not None
        context.add_init_script(NOTE_TASKS)
        for visit in ("first visit", "from the cache"):
            page, begin = context.new_page(), time.perf_counter()
            page.goto(address)
            page.wait_for_selector("#inputs:not([hidden])", timeout=LIMIT * 1000)
            seconds[f"{visit}: ready"].append(time.perf_counter() - begin)
            answer(page, file)
            seconds[f"{visit}: answered"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            text = answer(page, file)
            seconds["answer"].append(time.perf_counter() - begin)
            peak = max(peak, *(memory_of(one, "VmHWM") for one in processes(context.browser, "renderer")))
            longest = max(longest, page.evaluate("Math.max(...long)"))
            page.close()
        context.close()
        running.shutdown()
    return {"seconds": seconds, "peak": peak, "longest": longest, "text": text}


def answer(page: Page, file: Path) -> str:
    """What the page shows for the file. Its policy forbids scripts in texts, so it is looked at, not asked to tell."""
    page.set_input_files("#file", [])
    page.set_input_files("#file", str(file))
    page.wait_for_timeout(50)  # the page has begun
    end = time.perf_counter() + LIMIT
    while not page.inner_text("#status").startswith("Done"):
        if page.locator("#problem").is_visible() or time.perf_counter() > end:
            raise SystemExit(f"the page does not answer: {page.inner_text('#problem') or page.inner_text('#status')}")
        page.wait_for_timeout(20)
    return page.inner_text("#shown")


def memory_of(process: int, kind: str) -> int:
    """Bytes that a process takes ("VmRSS"), or took at most ("VmHWM") (Linux)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int((re.search(kind + r":\s+(\d+)", status) or ["", "0"])[1]) * 1024


if __name__ == "__main__":
    main()
