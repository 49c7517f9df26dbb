"""Every page of the documentation site in a real browser, on a narrow screen, light and dark. `make docs` builds it."""

from __future__ import annotations

import functools
import html.parser
import json
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
from helpers.pages.browser import INSTALL, Browser, program

pytestmark = pytest.mark.thorough

SITE = Path(__file__).parents[2] / "build" / "site"
WIDTH = 360
#: Until the page's script has followed the system's colours.
DARKENED = """new Promise((done) => {
  const colours = document.body.dataset, until = Date.now() + 10000;
  const look = () =>
    !colours.mdColorScheme || colours.mdColorScheme == "slate" || Date.now() > until ? done(1) : setTimeout(look, 5);
  look();
})"""


def absent(what: str, remedy: str) -> None:
    """Skip, but where CI is set: there nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"there is no {what}, and CI is set; {remedy}")
    pytest.skip(f"there is no {what}; {remedy}")


@pytest.fixture(scope="module")
def pages() -> list[str]:
    if not (SITE / "index.html").is_file():
        absent("site", "make docs")
    return sorted(file.relative_to(SITE).as_posix() for file in SITE.rglob("*.html"))


@pytest.fixture(scope="module")
def origin(pages: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site on loopback, as a static host serves it. Only pages with the query `whole` get the whole index."""
    index = tmp_path_factory.mktemp("search") / "search_index.json"
    whole = json.loads((SITE / "search" / "search_index.json").read_text())
    index.write_text(json.dumps({**whole, "docs": whole["docs"][:1]}))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-store" if self.path.startswith("/search/") else "max-age=600")
            super().end_headers()

        def translate_path(self, path: str) -> str:
            # Each page reads the index of the search at once, which takes longer than all the rest: once is enough.
            short = path.startswith("/search/") and "whole" not in self.headers.get("Referer", "")
            return str(index) if short else super().translate_path(path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if program() is None:
        absent("Chromium", INSTALL)
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_every_page_is_quiet_and_fits_a_narrow_screen(browser: Browser, pages: list[str], origin: str) -> None:
    """Light first, then dark, as a reader's system changes while the page is open."""
    faults = []
    for page in pages:
        browser.open(origin + page, WIDTH)
        faults += look(browser, page, "default")
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        browser.evaluate(DARKENED)
        faults += look(browser, page, "slate")
        complaints = browser.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        faults += [f"{page}: {complaint}" for complaint in complaints]
        asked = {event["request"]["url"] for event in browser.told("Network.requestWillBeSent")}
        faults += [f"{page} asks for {url}" for url in asked if not url.startswith((origin, "data:", "blob:"))]
    assert not faults, "\n".join(faults)


def look(browser: Browser, page: str, expected: str) -> list[str]:
    """What is wrong with the page's width and colours."""
    wide, scheme = browser.evaluate(
        "[document.documentElement.scrollWidth, document.body.dataset.mdColorScheme || null]"
    )
    faults = [f"{page}: {wide} px wide in {expected} colours"] if wide > WIDTH else []
    # The page of a report has a theme of its own.
    return faults + ([f"{page}: its colours are those of {scheme}"] if scheme not in (None, expected) else [])


def test_search_answers_without_a_server(browser: Browser, origin: str) -> None:
    browser.open(origin + "index.html?whole")
    paths = browser.evaluate("""new Promise((done) => {
      const field = document.querySelector("input[name=query]"), until = Date.now() + 20000;
      document.querySelector("#__search").checked = true;
      field.focus();
      const look = () => {
        field.value = "microcontroller";
        field.dispatchEvent(new Event("input", {bubbles: true}));
        field.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}));
        const links = Array.from(document.querySelectorAll(".md-search-result__link"), (link) => link.pathname);
        links.length || Date.now() > until ? done(links) : setTimeout(look, 200);
      };
      look();
    })""")
    assert any("microcontroller" in path for path in paths), paths


class Links(html.parser.HTMLParser):
    """The addresses that a page names, and the places in it that a fragment can name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.named: set[str] = set()
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if value and name in ("href", "src"):
                self.named.add(value)
            elif value and name in ("id", "name"):
                self.places.add(value)


def test_no_link_is_broken(pages: list[str]) -> None:
    parsed = {page: Links((SITE / page).read_text()) for page in pages}
    broken = []
    for page, links in parsed.items():
        if page == "404.html":
            continue
        for link in links.named:
            if urlparse(link).scheme:
                continue
            path, fragment = urldefrag(urljoin(page, link))
            target = unquote(path).removeprefix("/") or page
            target = f"{target}index.html" if target.endswith("/") or target == "." else target
            if not (SITE / target).is_file():
                broken.append(f"{page}: {link}")
            elif target in parsed and unquote(fragment) not in parsed[target].places:
                broken.append(f"{page}: {link} names no place in {target}")
    assert not broken, "\n".join(broken)
