"""Pages: what is in them, and that people can use them: files, microphone, camera, keyboard, a phone's width."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from helpers.pages.browser import Browser
from helpers.pages.packages import FAKE, RUNTIME, Site, chromium, serving, until
from PIL import Image

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.errors import BadInput
from edgekit.targets.web import page

pytestmark = pytest.mark.real

HOSTILE = '<img src=x onerror="document.title=1">'


def write_page(bundle: Bundle, out: Path, **options: str) -> Path:
    out.mkdir()
    page.write(bundle, out, {**RUNTIME, **options})
    return out


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundle") / "persons"
    made = open_bundle(edgekit.export("mobilenet-v1-025-vww", "laptop", out=out).path)
    facts = {**made.manifest.facts, "labels": [HOSTILE, "person"]}
    return replace(made, manifest=msgspec.structs.replace(made.manifest, facts=facts))


@pytest.fixture(scope="module")
def pages(words: Bundle, persons: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two pages, with the golden inputs as files."""
    out = tmp_path_factory.mktemp("pages")
    for name, bundle in (("words", words), ("persons", persons)):
        place = write_page(bundle, out / name, title=f"Try {name} & <see>")
        shutil.copyfile(bundle.path / bundle.manifest.golden.input, place / "lib" / "golden-input")
    return out


@pytest.fixture(scope="module")
def browser(pages: Path, words: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone plays the golden sound."""
    import soundfile

    sound, rate = soundfile.read(words.path / words.manifest.golden.input, dtype="int16")
    with wave.open(str(pages / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(sound, "<i2").tobytes())
    played = f"--use-file-for-fake-audio-capture={pages / 'sound.wav'}%noloop"
    yield from chromium(tmp_path_factory.mktemp("profile"), *FAKE, played)


@pytest.fixture(scope="module")
def site(pages: Path) -> Iterator[Site]:
    with serving(pages) as running:
        yield running


READY = until('!document.getElementById("inputs").hidden && document.getElementById("status").textContent === "Done"')
DROP = """(async () => {
  const data = new DataTransfer(), blob = await (await fetch("lib/golden-input")).blob();
  data.items.add(new File([blob], "input"));
  dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
})()"""
ANSWER = until('document.getElementById("status").textContent === "Done" && document.getElementById("shown").innerText')


def problems(browser: Browser) -> list[Any]:
    """What the page's devtools had to say: exceptions, breaches of its policy, failures to load."""
    return browser.told("Runtime.exceptionThrown") + browser.told("Log.entryAdded")


def test_what_is_in_a_page(words: Bundle, pages: Path, tmp_path: Path) -> None:
    one, other = write_page(words, tmp_path / "one"), write_page(words, tmp_path / "other")
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
    document = (pages / "words" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Try words &amp; &lt;see&gt;</h1>" in document and "edgekit-" not in document
    assert "<script>" not in document and "style=" not in document and "onclick" not in document
    assert "'unsafe-inline'" not in document and "'unsafe-eval'" not in document
    worker = (one / "sw.js").read_text(encoding="utf-8")
    assert (
        "lib/ort/ort-wasm-simd-threaded.wasm" in worker and "lib/model" not in worker.split("FILES = ")[1].split(";")[0]
    )


@pytest.mark.parametrize("title", ["", "  ", "two\nlines", "x" * 101])
def test_titles(words: Bundle, tmp_path: Path, title: str) -> None:
    with pytest.raises(BadInput, match="is no title"):
        page.write(words, tmp_path, {"title": title})


def test_a_sound_that_is_dropped(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}words/")
    browser.evaluate(READY)
    browser.evaluate(DROP)
    assert "stop (" in browser.evaluate(ANSWER)
    assert browser.evaluate('document.getElementById("time").textContent').endswith(" ms")
    assert problems(browser) == []


@pytest.mark.slow
def test_the_memory_of_the_page(browser: Browser, site: Site) -> None:
    """Chromium takes a minute to tell."""
    browser.open(f"{site.address}words/")
    browser.evaluate(READY)
    assert browser.evaluate(until('document.getElementById("memory").textContent.includes("MB")', 120))


def test_the_microphone(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}words/")
    browser.evaluate(READY)
    browser.evaluate('document.getElementById("record").click()')
    assert browser.evaluate(until('document.getElementById("shown").innerText.includes("%")'))
    browser.press("Escape", 27)
    browser.evaluate(until('document.getElementById("status").textContent === "Stopped"'))
    assert browser.evaluate('document.getElementById("stop").hidden && document.getElementById("problem").hidden')
    assert problems(browser) == []


def test_a_picture_whose_labels_are_markup(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}persons/")
    browser.evaluate(READY)
    browser.evaluate(DROP)
    assert HOSTILE in browser.evaluate(ANSWER)
    assert browser.evaluate('document.querySelectorAll("#shown img").length === 0 && document.title.startsWith("Try")')
    assert browser.evaluate('document.getElementById("canvas").width > 50')
    assert problems(browser) == []


def test_a_picture_of_100_megapixels(browser: Browser, site: Site, pages: Path) -> None:
    """It is reduced before its pixels are read."""
    Image.new("L", (10_000, 10_000), 128).save(pages / "persons" / "lib" / "large.png")
    browser.open(f"{site.address}persons/")
    browser.evaluate(READY)
    browser.evaluate(DROP.replace("golden-input", "large.png"))
    assert "person" in browser.evaluate(ANSWER)
    assert browser.evaluate('document.getElementById("canvas").width') == 1280
    assert problems(browser) == []


def test_the_camera(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}persons/")
    browser.evaluate(READY)
    browser.evaluate('document.getElementById("record").click()')
    assert "person" in browser.evaluate(until('document.getElementById("shown").innerText'))
    browser.evaluate('document.getElementById("stop").click()')
    browser.evaluate(until('document.getElementById("status").textContent === "Stopped"'))
    assert problems(browser) == []


def test_what_is_no_picture(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}persons/")
    browser.evaluate(READY)
    browser.evaluate(DROP.replace("golden-input", "index.js"))
    assert browser.evaluate(until('!document.getElementById("problem").hidden'))
    browser.evaluate(DROP)  # it goes on
    assert "person" in browser.evaluate(ANSWER)


def test_self_test_and_keyboard(browser: Browser, site: Site) -> None:
    browser.open(f"{site.address}words/")
    browser.evaluate(READY)
    reached = []
    for _ in range(4):
        browser.press("Tab", 9)
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["file", "record", "test", "SUMMARY"]
    browser.evaluate('document.getElementById("test").focus()')
    browser.press("Enter", 13, "\r")
    assert "as the reference" in browser.evaluate(until('document.querySelector("#shown ul")?.innerText'))


@pytest.mark.parametrize("name", ["words", "persons"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, site: Site, name: str) -> None:
    browser.open(f"{site.address}{name}/", width=360, dark=True)
    browser.evaluate(READY)
    browser.evaluate(DROP)
    browser.evaluate(ANSWER)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert browser.evaluate("getComputedStyle(document.body).color") != "rgb(29, 31, 33)"


def test_without_isolation(browser: Browser, pages: Path) -> None:
    with serving(pages, isolated=False) as site:
        browser.open(f"{site.address}words/")
        browser.evaluate(READY)
        for name in ("threads", "memory"):
            browser.evaluate(until(f'document.getElementById("{name}").textContent.includes("not isolated")'))
        assert problems(browser) == []


def test_a_second_visit_without_a_network(browser: Browser, pages: Path) -> None:
    with serving(pages) as site:
        browser.open(f"{site.address}words/")
        browser.evaluate(READY)
        browser.evaluate("navigator.serviceWorker.ready.then(() => true)")
        port = int(site.address.split(":")[2].strip("/"))
    browser.open(f"http://127.0.0.1:{port}/words/")  # nobody serves it now
    browser.evaluate(READY)
    browser.evaluate('document.getElementById("test").click()')
    assert "as the reference" in browser.evaluate(until('document.querySelector("#shown ul")?.innerText'))
