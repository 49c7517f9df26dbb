"""The browser of this machine: Chromium, Chrome or Edge, found and started."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import DeviceFailed, MissingExtra, install_command, need

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_INSTALL = "Install Chrome, Edge or Chromium, such as by: apt-get install chromium"


def program(address: str = "") -> str:
    """The path of the browser: `address` where it is given, else the first that is installed.

    Raises:
        MissingExtra: there is none.
    """
    if address:
        if shutil.which(address) is None:
            raise DeviceFailed(
                f"there is no browser at {address!r}.", hint="Such as: --device chromium:/usr/bin/chromium"
            )
        return address
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise MissingExtra("there is no browser of Chromium's kind on this machine.", hint=_INSTALL)
    return found


def state() -> tuple[bool, str, str]:
    """Whether bundles can be measured in a browser, which one it is, and what to do otherwise."""
    try:
        name = Path(program()).name
    except MissingExtra as exc:
        return False, "", exc.hint
    if importlib.util.find_spec("playwright") is None:
        return False, name, install_command("web")
    return True, name, ""


@contextlib.contextmanager
def launch(address: str = "", limit: float = 600.0) -> Iterator[Browser]:
    """A fresh browser without a window, which is killed after `limit` seconds: then what waits for it fails.

    Raises:
        MissingExtra: Playwright or a browser is absent. DeviceFailed: it does not start.
    """
    found = program(address)
    with need("web", "Measuring in a browser"):
        from playwright.sync_api import Error, sync_playwright
    # Chromium's sandbox cannot be had by root; the page is ours.
    sandbox = not hasattr(os, "geteuid") or os.geteuid() != 0
    with sync_playwright() as tool:
        try:
            browser = tool.chromium.launch(executable_path=found, chromium_sandbox=sandbox)
        except Error as exc:
            said = exc.message.strip().splitlines()[0]
            raise DeviceFailed(f"the browser {found} did not start: {said}", hint="Start it by hand once.") from exc
        # A page that computes hears nothing else, and a call that waits for it has no timeout.
        timers = [threading.Timer(limit, os.kill, (one, signal.SIGTERM)) for one in processes(browser, "browser")]
        for timer in timers:
            timer.start()
        try:
            with contextlib.closing(browser):
                yield browser
        finally:
            for timer in timers:
                timer.cancel()


def processes(browser: Browser, kind: str) -> list[int]:
    """The numbers of a browser's processes of a kind: "browser" is the one that began, "renderer" has a page."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return [int(one["id"]) for one in found if one["type"] == kind]
