"""The page of a report in a real browser: no errors, no network, everything in its place, usable without a mouse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from helpers.pages.browser import INSTALL, Browser, program
from helpers.pages.html_reports import HOSTILE, firmware, make, matrix

from edgekit.reports.cells import Cell
from edgekit.reports.page import document

pytestmark = pytest.mark.thorough

BOXES = """Array.from(document.querySelectorAll(%r), (e) => {
  const r = e.getBoundingClientRect();
  return [r.left, r.top + scrollY, r.right, r.bottom + scrollY, e.textContent];
})"""
LABELS = """Array.from(document.querySelectorAll("figure"), (figure) =>
  Array.from(figure.querySelectorAll("svg text"), (e) => {
    const r = e.getBoundingClientRect(), s = e.ownerSVGElement.getBoundingClientRect();
    return [r.left - s.left, r.top - s.top, r.right - s.left, r.bottom - s.top, s.width, s.height, e.textContent];
  }))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if program() is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no Chromium, and CI is set; {INSTALL}")
        pytest.skip(f"there is no Chromium; {INSTALL}")
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with a matrix of one model, firmware, hostile names and a cell that failed."""
    wild = make(bundle={"name": HOSTILE, "model": HOSTILE}, warnings=(HOSTILE,))
    failed = Cell("tiny", "laptop", "onnx", "int4", 1, "host", "crashed", "it was killed by SIGSEGV")
    file = tmp_path_factory.mktemp("page") / "small.html"
    file.write_text(document.render([*matrix(models=1), firmware(), wild], [failed]), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 50 cells."""
    file = tmp_path_factory.mktemp("page") / "large.html"
    file.write_text(document.render(matrix()), encoding="utf-8")
    return file


OPENED = """new Promise((done) => {
  const look = () => document.documentElement.classList.contains("opening") ? setTimeout(look, 5) : done(1);
  look();
})"""


def opened(browser: Browser, url: str, width: int = 1280, *, dark: bool = False) -> None:
    """Open a page and wait until its last cell is laid out."""
    browser.open(url, width, dark=dark)
    browser.evaluate(OPENED)


def quiet(browser: Browser, url: str) -> None:
    """Nothing was complained about, and nothing but the page itself was asked for."""
    assert browser.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded") == []
    assert {event["request"]["url"].partition("#")[0] for event in browser.told("Network.requestWillBeSent")} == {url}


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_quiet_and_everything_lies_inside_it(browser: Browser, small: str, width: int, dark: bool) -> None:
    opened(browser, small, width, dark=dark)
    quiet(browser, small)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    figures = browser.evaluate(BOXES % "figure svg")
    assert len(figures) >= 20
    for left, top, right, bottom, _ in figures:
        assert left >= 0 and right <= width and right - left > 250 and bottom - top > 30
    bars = browser.evaluate(BOXES % "td svg")
    assert len(bars) >= 60 and all(
        80 < right - left < 120 and 4 < bottom - top < 12 for left, top, right, bottom, _ in bars
    )
    for one, other in combinations(browser.evaluate(BOXES % "figure"), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(16, 20, 24)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize("width", [360, 1280])
def test_labels_lie_inside_their_figure_and_on_no_other(browser: Browser, small: str, width: int) -> None:
    opened(browser, small, width)
    for labels in browser.evaluate(LABELS):
        for left, top, right, bottom, wide, high, words in labels:
            assert left >= -1 and top >= -1 and right <= wide + 1 and bottom <= high + 1, words
        for one, other in combinations(labels, 2):
            # Boxes of text hold the room of letters with tails: a third of a line may be shared.
            slack = (one[3] - one[1]) / 3
            apart = one[2] <= other[0] + 1 or other[2] <= one[0] + 1
            assert apart or one[3] <= other[1] + slack or other[3] <= one[1] + slack, (one[6], other[6])


def test_the_theme_is_switched_by_keyboard(browser: Browser, small: str) -> None:
    opened(browser, small)
    focused = "document.activeElement.id || document.activeElement.className"
    browser.press("Tab", 9)
    assert browser.evaluate(focused) == "skip"
    browser.press("Tab", 9)
    assert browser.evaluate(focused) == "theme"
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for expected in ("true", "false"):
        browser.press("Enter", 13, "\r")
        assert browser.evaluate("document.activeElement.getAttribute('aria-pressed')") == expected
        colour = "rgb(16, 20, 24)" if expected == "true" else "rgb(255, 255, 255)"
        assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == colour


def test_a_button_copies_the_table_behind_a_figure(browser: Browser, small: str) -> None:
    opened(browser, small)
    browser.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.send("Page.bringToFront")
    browser.evaluate("(document.querySelector('figure button.copy').focus(), 1)")
    browser.press("Enter", 13, "\r")
    rows = browser.evaluate("new Promise((done) => setTimeout(() => done(navigator.clipboard.readText()), 300))")
    cells = "row => Array.from(row.cells, cell => cell.textContent).join('\\t')"
    shown = browser.evaluate(f"Array.from(document.querySelector('figure table').rows, {cells}).join('\\n') + '\\n'")
    assert rows == shown
    assert rows.startswith("cell\tend_to_end.latency\taccuracy\ton the frontier\n") and rows.count("\n") >= 10
    assert "Copied" in browser.evaluate("document.getElementById('status').textContent")


def test_screen_readers_find_names_landmarks_and_headings_in_order(browser: Browser, small: str) -> None:
    opened(browser, small)
    browser.send("Accessibility.enable")
    nodes = [node for node in browser.send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]

    def named(role: str) -> list[str]:
        return [node.get("name", {}).get("value", "") for node in nodes if node["role"]["value"] == role]

    assert len(named("main")) == len(named("banner")) == len(named("navigation")) == 1
    pictures = [*named("image"), *named("img")]
    assert len(pictures) == browser.evaluate("document.querySelectorAll('figure svg').length")
    for role in ("button", "link", "region", "table", "heading"):
        assert named(role) and all(named(role)), role
    assert all(pictures)
    levels = [_level(node) for node in nodes if node["role"]["value"] == "heading"]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in pairwise(levels))


def _level(node: dict[str, Any]) -> int:
    return int(next(item["value"]["value"] for item in node["properties"] if item["name"] == "level"))


def test_paper_is_white_and_without_controls(browser: Browser, small: str) -> None:
    opened(browser, small, dark=True)
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("Array.from(document.querySelectorAll('button')).every((b) => !b.offsetParent)")
    browser.send("Emulation.setEmulatedMedia", media="")


def test_without_the_script_nothing_is_missing(browser: Browser, small: str) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(small)
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.evaluate("document.querySelectorAll('button:not([hidden])').length") == 0
    assert browser.evaluate("Array.from(document.querySelectorAll('figure')).every((f) => f.querySelector('table'))")


def test_fifty_cells_stay_light(browser: Browser, large: Path) -> None:
    assert large.stat().st_size < 1_000_000
    opened(browser, large.as_uri())
    quiet(browser, large.as_uri())
    assert browser.evaluate("document.querySelectorAll('article').length") == 50
    assert browser.evaluate("document.querySelectorAll('*').length") < 40_000


def test_cells_are_laid_out_after_the_page_has_opened(browser: Browser, large: Path) -> None:
    opened(browser, large.as_uri())
    hidden = "Array.from(document.querySelectorAll('article')).filter((a) => getComputedStyle(a).contentVisibility %s)"
    assert browser.evaluate(hidden % "!== 'visible'") == []
    browser.open("about:blank")
    opened(browser, large.as_uri() + "#cell-50")
    top = "document.getElementById('cell-50').getBoundingClientRect().top"
    look = f"const look = () => Math.abs({top}) < 900 ? done(1) : setTimeout(look, 20); look();"
    arrived = f"new Promise((done) => {{ {look} }})"
    assert browser.evaluate(arrived) == 1
