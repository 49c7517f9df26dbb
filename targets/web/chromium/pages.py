"""A fresh page of a browser that runs one of edgekit's scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core import Facts
from edgekit.errors import DeviceFailed
from edgekit.targets.web.chromium.browser import processes
from edgekit.targets.web.chromium.server import serve

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
        served, content, isolated: see `edgekit.targets.web.chromium.server.serve`.

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
