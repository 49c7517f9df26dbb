"""How long a page of 50 cells takes to make and to open, in a headless Chromium that has just been started.

    python tests/peers/page_speed.py [--times 5] [PAGE.html]

Without a page, the one of the tests (50 cells, 3 processes of 30 values) and one of long runs (10 processes, five
distributions a cell). Told are medians: processor time to make it; from the start of the navigation to the first paint,
to the load event, and until the last cell is laid out; bytes; elements.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from edgekit.reports.page import document

sys.path.insert(0, str(Path(__file__).parent.parent))

from helpers.pages.browser import Browser
from helpers.pages.html_reports import crowded, matrix

TIMES = """new Promise((done) => {
  const look = () => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const opening = document.documentElement.classList.contains("opening");
    if (opening || !paint || !page.loadEventEnd) return setTimeout(look, 5);
    done([paint.startTime, page.loadEventEnd, performance.now(), document.querySelectorAll("*").length]);
  };
  look();
})"""


def opened(page: Path, width: int, times: int) -> list[float]:
    """Medians of first paint, load event and last layout (ms), and the number of elements."""
    rows = []
    for _ in range(times):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(Path(profile)) as browser:
            browser.open(page.absolute().as_uri(), width)
            rows.append(browser.evaluate(TIMES))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def show(name: str, page: Path, times: int) -> None:
    print(f"{name}: {page.stat().st_size / 1e3:.0f} kB")
    for width in (1280, 360):
        paint, load, done, count = opened(page, width, times)
        told = f"painted {paint:.0f} ms, loaded {load:.0f} ms, all laid out {done:.0f} ms, {count:.0f} elements"
        print(f"  {width} px: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="?", type=Path)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.page:
        show(arguments.page.name, arguments.page, arguments.times)
        return
    for name, reports in (("50 cells", matrix()), ("50 cells of long runs", [crowded(one) for one in matrix()])):
        before = time.process_time()
        page = document.render(reports)
        print(f"{name}: made in {time.process_time() - before:.2f} s of processor time")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "page.html"
            file.write_text(page, encoding="utf-8")
            show(name, file, arguments.times)


if __name__ == "__main__":
    main()
