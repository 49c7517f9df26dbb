"""Packages that LiteRT.js runs: the build that fits the browser, and answers that pass the self-test there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.pages.browser import Browser
from helpers.pages.packages import LOAD, chromium, serving

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle, Part
from edgekit.errors import ExportFailed
from edgekit.registry import find
from edgekit.targets.web import npm, opening
from edgekit.targets.web.npm_files import LITERT_JS

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundle") / "words"
    made = edgekit.export("ds-cnn-kws", "web", runtime="litert-js", precision="int8", out=out, evidence=False)
    return open_bundle(made.path)


@pytest.fixture(scope="module")
def site(words: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        absent("there is no npm; get it with: make browser-tools")
    out = tmp_path_factory.mktemp("site")
    (out / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    (out / "words").mkdir()
    npm.write(words, out / "words", {})
    return out


@pytest.mark.parametrize("build", ["module", "threadedModule", "plainModule"])
def test_each_build_computes_what_the_reference_did(browser: Browser, site: Path, tmp_path: Path, build: str) -> None:
    """Loading runs the golden input. A browser without relaxed SIMD is played by giving this one its build."""
    place, isolated = tmp_path / "site", build == "threadedModule"
    shutil.copytree(site, place)
    if build == "plainModule":
        known = (place / "words" / "package.js").read_text()
        for suffix in ("js", "wasm"):
            known = known.replace("litert_wasm_internal." + suffix, "litert_wasm_compat_internal." + suffix)
        (place / "words" / "package.js").write_text(known)
    with serving(place, isolated=isolated) as running:
        browser.open(running.address)
        said = browser.evaluate(LOAD)
        fetched = {path for path in running.asked if path.startswith("/words/litert/")}
    assert said["stages"] == {"fetch": 1, "test": 1} and len(said["words"]) == 10
    if isolated and browser.evaluate("navigator.hardwareConcurrency") == 1:
        build = "module"
    wanted = (LITERT_JS.addresses[name] for name in (build, build.replace("module", "wasm").replace("Module", "Wasm")))
    assert fetched == {f"/words/litert/{name}" for name in wanted}


def test_a_first_visit_counts_one_build_and_the_licence_is_there(site: Path) -> None:
    files = {path.name: path.stat().st_size for path in (site / "words" / "litert").iterdir()}
    assert LITERT_JS.visit_bytes(site / "words" / "litert") < sum(files.values()) / 2
    assert "Apache License" in (site / "words" / "litert" / "LICENSE").read_text()
    assert json.loads((site / "words" / "package.json").read_bytes())["edgekit"]["litert-js"] == LITERT_JS.version


def test_a_browser_answers_as_this_machine_does(words: Bundle) -> None:
    if not find("targets", "web").devices["chromium"].state()[0]:
        absent("there is no browser; get one with: make browser-tools")
    device = edgekit.verify(words.path)["device"]
    assert device["runtime"] == f"litert-js {LITERT_JS.version}"
    assert 0 <= device["parts"]["network"]["browser"]["here"] < 0.05


def test_whole_numbers_that_stand_for_floats_are_told_with_their_steps(tmp_path: Path) -> None:
    options = {"io": "int8", "form": "static"}
    made = edgekit.export(
        "ds-cnn-kws", "web", runtime="litert-js", precision="int8", options=options, out=tmp_path / "b", evidence=False
    )
    part = open_bundle(made.path).manifest.parts[-1]
    facts = opening.opening_facts("litert", made.path / part.file, part.census, (["float32"], ["float32"]))
    assert all(0 < scale < 10 and -128 <= zero <= 127 for side in facts["steps"].values() for scale, zero in side)


def test_a_network_that_remembers_forgets_where_a_sound_begins(browser: Browser, tmp_path: Path) -> None:
    """okay-nabu, a streaming .tflite as it was published: the same sound twice has the same words at the same times."""
    made = edgekit.export("okay-nabu", "web", runtime="litert-js", out=tmp_path / "bundle", evidence=False)
    assert edgekit.verify(made.path)["device"]["parts"]["network"]["browser"]["here"] < 0.05
    (tmp_path / "site" / "words").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    npm.write(open_bundle(made.path), tmp_path / "site" / "words", {})
    with serving(tmp_path / "site") as running:
        browser.open(running.address)
        browser.evaluate(LOAD)
        first, second = browser.evaluate("(async () => [await detector.selfTest(), await detector.selfTest()])()")
    assert first["answer"] == first["expected"] == second["answer"] and first["errors"] == second["errors"]


def test_tensors_are_known_by_the_order_of_the_graph(browser: Browser, tmp_path: Path) -> None:
    """Its signature may have another. MiniLM takes tokens and a mask of one type: only the answer tells them apart."""
    from edgekit.exporters.litert import file

    made = edgekit.export("all-minilm-l6-v2", "web", runtime="litert-js", out=tmp_path / "bundle", evidence=False)
    bundle = open_bundle(made.path)
    (tmp_path / "site" / "index.html").parent.mkdir()
    (tmp_path / "site" / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    place = made.path / "network.tflite"
    content = place.read_bytes()
    model = file.parse(content)
    model.signatureDefs[0].inputs = model.signatureDefs[0].inputs[::-1]
    place.write_bytes(file.pack(model))
    (tmp_path / "site" / "words").mkdir()
    npm.write(bundle, tmp_path / "site" / "words", {})
    with serving(tmp_path / "site") as running:
        browser.open(running.address)
        load = "import('/words/index.js').then(({ SentenceEncoder }) => SentenceEncoder.load())"
        said = browser.evaluate(f"{load}.then((model) => model.selfTest())")
    assert said["passed"], said


def test_what_litert_cannot_convert_goes_to_the_runtime_for_every_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time nothing is tried again; who names the runtime hears why."""
    from edgekit.exporters.litert import convert

    tried: list[str] = []

    def refuse(part: Part, module: Any) -> bytes:
        tried.append(part.name)
        raise ExportFailed(f"litert-torch could not convert the part {part.name!r}.", hint="Another exporter.")

    monkeypatch.setattr(convert, "from_torch", refuse)
    asked = {"out": tmp_path / "bundle", "evidence": False}
    made = edgekit.export("ds-cnn-kws", "web", **asked)
    assert (made.manifest.recipe.runtime, made.manifest.recipe.precision) == ("onnxruntime-web", "int8")
    assert len(tried) == len({*tried})  # once, not for every precision
    assert edgekit.export("ds-cnn-kws", "web", **asked).reused and len(tried) == len({*tried})
    for named in ({"runtime": "litert-js"}, {"fallback": False}):
        with pytest.raises(ExportFailed, match="could not convert"):
            edgekit.export("ds-cnn-kws", "web", **{**asked, "out": tmp_path / "other", **named})
