"""npm packages: what is in them, what is refused, that a server may import them, and that a browser runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers.pages.browser import Browser
from helpers.pages.packages import LOAD, RUNTIME, chromium, serving

from edgekit.core import Bundle
from edgekit.errors import BadInput, FetchFailed, MissingExtra, Unsupported
from edgekit.targets.common.apps import apps
from edgekit.targets.web import modules, npm
from edgekit.targets.web.npm_files import ONNXRUNTIME_WEB, WLLAMA

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_in_a_package(words: Bundle, package: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        npm.write(words, tmp_path / name, RUNTIME)
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "other")
    facts = json.loads(one["package.json"])
    assert facts["name"] == "ds-cnn-kws" and facts["exports"]["."]["types"] == "./index.d.ts"
    assert facts["type"] == "module" and "scripts" not in facts and "dependencies" not in facts
    assert {
        "index.js",
        "index.d.ts",
        "api/WakeWordDetector.d.ts",
        "worker.js",
        "README.md",
        "ort/LICENSE",
    } <= one.keys()
    for text in (one["package.js"].decode(), one["core/sound.js"].decode()):
        for address in re.findall(r'new URL\("\.{1,2}/([^"]+)", import\.meta\.url\)', text):
            assert address in one, address
    assert not any("Whisper" in name or "picture" in name for name in one)
    text = b"".join(content for name, content in one.items() if name.endswith((".js", ".ts", ".md")))
    assert b"EdgekitAPI" not in text and b"edgekit-name" not in text and b"https://cdn" not in text
    assert b"WhisperTranscriber" not in one["worker.js"] and b"import {" not in one["worker.js"]
    shards = list((package / "model").glob("frontend.onnx.*"))
    assert len(shards) > 20 and all(path.stat().st_size <= 20_000 for path in shards)
    whole = b"".join((package / "model" / f"frontend.onnx.{i}").read_bytes() for i in range(len(shards)))
    assert whole == (words.path / "frontend.onnx").read_bytes()


@pytest.mark.parametrize("app", [*apps(), npm.CHAT], ids=lambda app: app.api)
def test_every_class_has_its_loop_its_types_and_an_example(app: Any) -> None:
    api = modules.TEMPLATES / "api" / f"{app.api}.js"
    assert f"await {app.api}.load()" in modules.example_of(api)
    methods = set(re.findall(r"^    async \*?(\w+)\(|^    (\w+)\(", api.read_text(encoding="utf-8"), re.MULTILINE))
    types = api.with_suffix(".d.ts").read_text(encoding="utf-8")
    assert f"export class {app.api} extends Model" in types
    for name in (one or other for one, other in methods):
        assert f"    {name}(" in types, name
    script = modules.join_modules([modules.TEMPLATES / "loops" / f"{app.loop}.js"])
    assert f"const ${app.loop} = " in script and "\nimport " not in script and "\nexport " not in script


def test_every_module_is_javascript(package: Path) -> None:
    for file in sorted(package.glob("**/*.js")):
        subprocess.run(["node", "--check", str(file)], check=True)


def test_a_server_may_import_it(package: Path) -> None:
    """As Next does: nothing is loaded, and load() says where it belongs."""
    script = (
        "import { WakeWordDetector, microphone } from './index.js';"
        "await WakeWordDetector.load().catch((error) => console.log(error.name, typeof microphone))"
    )
    command = ["node", "--input-type=module", "-e", script]
    assert subprocess.run(command, cwd=package, capture_output=True, text=True).stdout == "Unsupported function\n"


@pytest.mark.parametrize("name", ["", "Words", "../up", "a b", '"', "@me", "@me/", "node_modules", "w" * 215, "é"])
def test_names_that_npm_does_not_take(words: Bundle, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name an npm package"):
        npm.write(words, tmp_path, {"name": name})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", ["9-nai-ve", "é", "My_Net", "x" * 300, "node_modules"])
def test_the_name_of_a_model_always_makes_one(model: str) -> None:
    made = npm.package_name(None, model)
    assert npm.package_name(made, "x") == made


@pytest.mark.parametrize("version", ["", "1", "1.2", "1.2.3\n", "1.2.x", "v1.2.3"])
def test_versions_that_npm_does_not_take(words: Bundle, tmp_path: Path, version: str) -> None:
    with pytest.raises(BadInput, match="is not a version"):
        npm.write(words, tmp_path, {"version": version})


def test_a_folder_that_is_not_the_pinned_runtime(words: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not the npm package onnxruntime-web"):
        npm.write(words, tmp_path, {"onnxruntime-web": str(tmp_path)})


@pytest.mark.parametrize("runtime", [ONNXRUNTIME_WEB, WLLAMA], ids=lambda runtime: runtime.name)
def test_a_runtime_that_cannot_be_fetched(runtime: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="downloaded with npm, which is not installed"):
        runtime.copy(tmp_path)
    npm_program, file = tmp_path / "npm", Path(next(iter(runtime.files)))
    for script, said in (
        ("echo 'npm error 404' >&2; exit 1", "could not download .*: 404"),
        (f"printf x > package/{file}; /usr/bin/tar czf x.tgz package", "is not the pinned file"),
    ):
        npm_program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\nmkdir -p package/{file.parent}\n{script}\n")
        npm_program.chmod(0o755)
        with pytest.raises(FetchFailed, match=said):
            runtime.copy(tmp_path)
    assert not [path for path in (tmp_path / "cache" / "sources").rglob("*") if path.name == file.name]


def test_bundles_that_have_no_package(words: Bundle, tmp_path: Path) -> None:
    known = words.manifest

    def changed(**facts: Any) -> Bundle:
        return replace(words, manifest=msgspec.structs.replace(known, **facts))

    for other, said in (
        (changed(recipe=msgspec.structs.replace(known.recipe, exporter="coreml")), "the coreml exporter"),
        (changed(model=msgspec.structs.replace(known.model, task="poetry")), "'poetry' has no loop"),
        (changed(facts={**known.facts, "rules": {}}), "lacks the fact 'rules.refractory'"),
    ):
        with pytest.raises(Unsupported, match=said):
            npm.write(other, tmp_path, {})


TEST = "detector.selfTest()"


def test_a_browser_runs_it(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        begun = browser.evaluate(LOAD)
        assert begun["stages"] == {"fetch": 1, "test": 1}
        assert begun["rate"] == 16000 and "stop" in begun["words"]
        assert [name for name in begun["kept"] if name.startswith("edgekit @me/words ")]
        report = browser.evaluate(TEST)
        assert report["passed"] and "stop at" in report["answer"]
        heard = """(async () => {
          const heard = [];
          async function* halves(sound) { yield sound.subarray(0, 70001); yield sound.subarray(70001); }
          const bytes = await (await fetch("/words/model/golden/input.bin")).arrayBuffer();
          const sound = new Float32Array(bytes.slice(45)); // behind the header of one tensor
          for await (const { word } of detector.detect(halves(sound))) heard.push(word);
          return heard;
        })()"""
        assert "stop" in browser.evaluate(heard)
        assert not browser.told("Runtime.exceptionThrown")


def test_a_second_visit_needs_no_network_for_the_model(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        browser.evaluate(LOAD)
        site.asked.clear()
        browser.open(site.address)
        again = browser.evaluate(LOAD)
        assert not [path for path in site.asked if "/model/" in path]
        assert "test" not in again["stages"]  # this browser passed


def test_calls_end_and_memory_is_given_back(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        browser.evaluate(LOAD)
        told = browser.evaluate("""(async () => {
          const names = [], name = (error) => names.push(error.name), stop = new AbortController();
          const { WakeWordDetector } = await import("/words/index.js"), long = new Float32Array(16000 * 600);
          const work = detector.feed(long, { signal: stop.signal, progress: () => stop.abort() }).catch(name);
          await work;
          await detector.feed(new Float32Array([NaN]), { signal: AbortSignal.abort() }).catch(name);
          const other = await WakeWordDetector.load();
          await detector.dispose();
          await detector.feed(new Float32Array(10)).catch(name);
          names.push((await other.feed(new Float32Array(16000))).length);
          await other.dispose();
          names.push(globalThis[Symbol.for("edgekit.workers.1")].size);
          return names;
        })()""")
        assert told == ["AbortError", "AbortError", "Disposed", 0, 0]


def test_two_packages_share_a_runtime(package: Path, browser: Browser) -> None:
    with serving(package.parent) as site:
        browser.open(site.address)
        browser.evaluate(LOAD)
        told = browser.evaluate("""(async () => {
          const { WakeWordDetector } = await import("/other/index.js"), second = await WakeWordDetector.load();
          const hosts = [...globalThis[Symbol.for("edgekit.workers.1")].values()].map((host) => host.models);
          await detector.dispose();
          return [hosts, (await second.selfTest()).passed];
        })()""")
        assert told == [[2], True]
        assert not [path for path in site.asked if path.startswith("/other/ort/")]


@pytest.mark.parametrize("spoil", ["changed", "truncated", "missing"])
def test_files_that_are_not_what_they_were(package: Path, browser: Browser, tmp_path: Path, spoil: str) -> None:
    shutil.copytree(package.parent, tmp_path / "site")
    shard = tmp_path / "site" / "words" / "model" / "frontend.onnx.3"
    content = shard.read_bytes()
    if spoil == "missing":
        shard.unlink()
    else:
        shard.write_bytes(content[:-100] if spoil == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    with serving(tmp_path / "site") as site:
        browser.open(site.address)
        error = browser.evaluate(f"{LOAD}.catch((error) => [error.name, error.message])")
    assert error[0] == ("FileChanged" if spoil == "changed" else "NetworkError")
    assert "frontend.onnx.3" in error[1]
    shard.write_bytes(content)
    with serving(tmp_path / "site") as site:  # what was right is kept, and what was cut is gone on with
        browser.open(site.address)
        browser.evaluate(LOAD)


def test_a_file_that_is_cut_goes_on(package: Path, browser: Browser) -> None:
    with serving(package.parent, cut="network.onnx.1") as site:
        browser.open(site.address)
        browser.evaluate(LOAD)
        ranges = [asked for path, asked in site.ranges if path.endswith("network.onnx.1")]
    # Between them the browser asks by itself.
    assert ranges[0] == "" and re.match(r"bytes=[1-9]\d*-", ranges[-1]), ranges


def test_a_browser_that_keeps_nothing(package: Path, browser: Browser) -> None:
    """As in a private window: it goes on without."""
    with serving(package.parent) as site:
        browser.open(site.address)
        script = f"""(async () => {{
          const text = await (await fetch("/words/worker.js")).text();
          const blocked = "Object.defineProperty(self, 'caches', {{ get() {{ throw new DOMException('no'); }} }});";
          const code = URL.createObjectURL(new Blob([blocked, text], {{ type: "text/javascript" }}));
          (await import("/words/package.js")).PACKAGE.code = new URL(code);
          return await {LOAD};
        }})()"""
        assert browser.evaluate(script)["stages"] == {"fetch": 1, "test": 1}
