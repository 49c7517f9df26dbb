"""Packages under hard conditions: tabs beside each other, little room, poor browsers, sounds that are long or fast."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pages.browser import Browser
from helpers.pages.packages import LOAD, chromium, serving

from edgekit.targets.web.chromium.browser import launch

pytestmark = pytest.mark.real

#: A second tab of the page's, in which scripts run; `load` loads a package there, `close` ends it.
TAB = """(async () => {
  const tab = open("/");
  await new Promise((done) => tab.addEventListener("load", done));
  globalThis.tab = tab;
  globalThis.load = (window, folder, options) =>
    window.eval(`(options) => import("/${folder}/index.js").then((lib) => lib.WakeWordDetector.load(options))`)(options);
})()"""
ANSWERS = "async (detector) => (await detector.selfTest()).passed"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """It has a microphone, which nobody allows."""
    yield from chromium(
        tmp_path_factory.mktemp("profile"), "--use-fake-device-for-media-stream", "--disable-popup-blocking"
    )


def test_two_tabs_at_once_fetch_once(package: Path, browser: Browser) -> None:
    """The browser's own cache lets the second wait for the first."""
    with serving(package.parent) as site:
        browser.open(site.address)
        browser.evaluate(TAB)
        site.asked.clear()
        both = f"Promise.all([load(window, 'words'), load(tab, 'words')].map(async (one) => ({ANSWERS})(await one)))"
        assert browser.evaluate(both) == [True, True]
        browser.evaluate("tab.close()")
    sent = {path: size for path, size in site.sent.items() if "/model/" in path}
    assert len(sent) > 20
    assert sent == {path: (package.parent / path[1:]).stat().st_size for path in sent}


def test_two_versions_in_two_tabs(package: Path, browser: Browser, tmp_path: Path) -> None:
    """Neither drops what the other keeps; when a tab is closed, what it kept is dropped at the next visit."""
    shutil.copytree(package.parent, tmp_path / "site")
    newer = shutil.copytree(package, tmp_path / "site" / "newer")
    text = (newer / "package.js").read_text()
    version = text.split('version: "')[1].split('"')[0]
    for file in (newer / "package.js", newer / "worker.js"):
        file.write_text(file.read_text().replace(version, "newer"))
    with serving(tmp_path / "site") as site:
        browser.open(site.address)
        browser.evaluate(TAB)
        kept = browser.evaluate(f"""(async () => {{
          const both = await Promise.all([load(tab, "words"), load(window, "newer")]);
          const passed = await Promise.all(both.map({ANSWERS}));
          return [...passed, ...(await caches.keys()).map((name) => name.split(" ").at(-1)).sort()];
        }})()""")
        assert kept == [True, True, *sorted([version, "newer"])]
        browser.evaluate("tab.close()")
        browser.open(site.address)
        browser.evaluate(TAB)
        browser.evaluate("load(window, 'newer').then(() => tab.close())")
        assert browser.evaluate("caches.keys()") == ["edgekit @me/words newer"]


def test_a_tab_that_closes_while_files_come(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        browser.evaluate(TAB)
        browser.evaluate("""new Promise((done) => {
          const progress = (stage, share) => share > 0.5 && (tab.close(), done());
          load(tab, "words", { progress }).catch(() => {});
        })""")
        before = {path for path in site.asked if "/frontend.onnx." in path}
        site.asked.clear()
        browser.evaluate(LOAD)
        after = {path for path in site.asked if "/frontend.onnx." in path}
    assert len(before) > 5 and after and len(before & after) <= 1


def test_a_browser_with_little_room(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.send("Storage.overrideQuotaForOrigin", origin=site.address.rstrip("/"), quotaSize=60_000)
        browser.open(site.address)
        assert browser.evaluate(LOAD)["stages"] == {"fetch": 1, "test": 1}
        assert browser.evaluate(f"({ANSWERS})(detector)")
        assert browser.evaluate("navigator.storage.estimate().then((room) => room.usage)") <= 60_000


def test_a_private_window(package: Path) -> None:
    with serving(package.parent) as site, launch() as playwright:
        for visits in (2, 1):  # what one kept, the next does not have
            private = playwright.new_context()
            for visit in range(visits):
                page = private.new_page()
                page.goto(site.address)
                site.asked.clear()
                page.evaluate(f"() => {LOAD}")
                assert any("/model/" in path for path in site.asked) == (visit == 0)
            private.close()


NO_SIMD = "--js-flags=--no-enable-ssse3 --no-enable-sse4-1 --no-enable-sse4-2 --no-enable-avx"
LACKS = {
    "Worker": "load()",
    "WebAssembly": "load()",
    "OfflineAudioContext": "detect(new Blob(['x'])).next()",
    "AudioWorkletNode": "detect(microphone()).next()",
}


def test_a_browser_without_what_is_needed(package: Path, browser: Browser, tmp_path: Path) -> None:
    """One error says it by name, before anything is fetched."""
    told = """(async () => {
      const { WakeWordDetector, microphone } = await import("/words/index.js"), said = {};
      const detector = await WakeWordDetector.load(), load = () => WakeWordDetector.load();
      for (const [name, ask] of LACKS) {
        const { [name]: there } = globalThis;
        globalThis[name] = undefined;
        const asked = name.length < 12 ? load() : detector.detect(name[0] === "O" ? new Blob(["x"]) : microphone()).next();
        said[name] = await asked.catch((error) => [error.name, error.message]);
        globalThis[name] = there;
      }
      return said;
    })()"""
    with serving(package.parent) as site:
        browser.open(site.address)
        said = browser.evaluate(told.replace("LACKS", json.dumps(list(LACKS.items()))))
        assert {name for name, _ in said.values()} == {"Unsupported"}, said
        for name in list(LACKS)[1:]:
            assert said[name][1].startswith(f"this browser has no {name};")
        site.asked.clear()
        with Browser(tmp_path, 60.0, (NO_SIMD,)) as poor:
            poor.open(site.address)
            error = poor.evaluate(f"{LOAD}.catch((error) => [error.name, error.message])")
    assert error[0] == "Unsupported" and "no SIMD in WebAssembly" in error[1]
    assert not [path for path in site.asked if "/model/" in path or "/ort/" in path]


SOUNDS = """(async () => {
  const { microphone } = await import("/words/index.js"), said = {};
  const golden = await (await fetch("/words/model/golden/input.bin")).arrayBuffer();
  const sound = new Float32Array(golden.slice(45)); // behind the header of one tensor
  const words = async (given) => {
    const found = [];
    for await (const { word } of detector.detect(given)) found.push(word);
    return found.join(" ");
  };
  /** A WAV file of 16 bits. */
  const file = (values, rate) => {
    const header = new DataView(new ArrayBuffer(44)), text = (at, letters) => [...letters].forEach((one, i) => header.setUint8(at + i, one.charCodeAt()));
    text(0, "RIFF"), header.setUint32(4, 36 + 2 * values.length, true), text(8, "WAVEfmt "), header.setUint32(16, 16, true);
    header.setUint16(20, 1, true), header.setUint16(22, 1, true), header.setUint32(24, rate, true);
    header.setUint32(28, 2 * rate, true), header.setUint16(32, 2, true), header.setUint16(34, 16, true);
    text(36, "data"), header.setUint32(40, 2 * values.length, true);
    return new Blob([header, values]);
  };
  const context = new OfflineAudioContext(1, sound.length * 6, 96000), buffer = new AudioBuffer({ length: sound.length, sampleRate: 16000 });
  buffer.copyToChannel(sound, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination), source.start();
  const fast = await context.startRendering();
  said.plain = await words([sound]);
  said.file = await words(file(Int16Array.from(fast.getChannelData(0), (value) => value * 32767), 96000));
  const stop = new AbortController(), begin = performance.now(), hour = file(new Int16Array(16000 * 3600), 16000);
  let longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration)))).observe({ type: "longtask" });
  const steps = detector.detect(hour, { signal: stop.signal }).next().catch((error) => error.name);
  setTimeout(() => stop.abort(), 4000);
  said.hour = await steps;
  said.longest = longest;
  said.after = await words([sound]);
  said.microphone = await microphone().next().catch((error) => [error.name, error.message]);
  return said;
})()"""


def test_sounds_that_are_fast_long_or_refused(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        origin = site.address.rstrip("/")
        browser.send("Browser.setPermission", permission={"name": "microphone"}, setting="denied", origin=origin)
        browser.evaluate(LOAD)
        said = browser.evaluate(SOUNDS)
    print(said)
    assert "stop" in said["plain"] and said["file"] == said["after"] == said["plain"]
    assert said["hour"] == "AbortError"
    assert said["microphone"] == ["MicrophoneRefused", "there is no sound from a microphone: Permission denied"]
