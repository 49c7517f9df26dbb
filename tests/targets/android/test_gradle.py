"""The Gradle module as a reviewer reads it: names, build file, assets, what must not be in it. Nothing is compiled."""

from __future__ import annotations

import hashlib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers.devices.phone_bundles import RUNTIME, changed, made_up, tensor, toys
from helpers.toys.toy_whisper import ToyWhisper

import edgekit
from edgekit.bundles.manifest import decode
from edgekit.cli.command import run
from edgekit.errors import BadInput, Unsupported
from edgekit.targets.android.forms import gradle
from edgekit.targets.android.forms.names import names_of

API = {
    "whisper": "Transcriber", "vision": "Classifier", "keyword": "WakeWordDetector", "speaker": "SpeakerVerifier",
    "silero": "SpeechDetector", "policy": "Policy", "boxes": "ObjectDetector", "areas": "PictureSegmenter",
    "keypoints": "KeypointDetector", "forecasting": "Forecaster", "sentences": "SentenceEncoder",
    "music": "MusicTranscriber", "ppocr": "TextReader", "arrays": "TensorModel",
}  # fmt: skip
NAMED = {"package": "com.example.speech", "name": "speech", "version": "1.2.0"}
#: What may only be in a folder whose name it is.
TOKENS = re.compile(r"edgekit[.-](?!package|models|0)[a-z]+|0\.0\.0-version|edgekit_model")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, toy_whisper: ToyWhisper) -> Mapping[str, Path]:
    return toys(tmp_path_factory.mktemp("toys"), toy_whisper)


@pytest.fixture(scope="module")
def modules(bundles: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    out = tmp_path_factory.mktemp("modules")
    return {name: edgekit.package(path, "gradle", out=out / name, options=NAMED) for name, path in bundles.items()}


@pytest.fixture(params=list(API))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def module(modules: Mapping[str, Path], family: str) -> Path:
    return modules[family]


def texts(module: Path) -> dict[str, str]:
    kinds = (".kt", ".kts", ".java", ".xml", ".pro", ".md")
    return {
        path.relative_to(module).as_posix(): path.read_text(encoding="utf-8")
        for path in module.rglob("*")
        if path.suffix in kinds
    }


# ---------------------------------------------------------------------------------------------------- what is written


def test_the_layout(module: Path, family: str) -> None:
    have = set(texts(module))
    place = "com/example/speech"
    assert {"build.gradle.kts", "README.md", "consumer-rules.pro", "src/main/AndroidManifest.xml"} <= have
    assert f"src/main/kotlin/{place}/{API[family]}.kt" in have
    assert not any(name.endswith(f"/{other}.kt") for other in set(API.values()) - {API[family]} for name in have)
    assert f"src/test/kotlin/{place}/ModelFilesTest.kt" in have
    assert API[family] in texts(module)[f"src/androidTest/kotlin/{place}/SelfTestOnDevice.kt"]
    graph = "LiteRtGraph" if family == "keyword" else "OnnxGraph"
    assert [name for name in have if "Graph.kt" in name] == [f"src/main/kotlin/{place}/{graph}.kt"]


def test_every_name_was_replaced(module: Path) -> None:
    for name, text in texts(module).items():
        assert not TOKENS.search(text), (name, TOKENS.search(text))
        if name.endswith((".kt", ".java")):
            folder = re.sub(r"^src/\w+/\w+/", "", str(Path(name).parent))
            assert f"package {folder.replace('/', '.')}" in text, name
        assert "\t" not in text and "TODO" not in text and text.endswith("\n"), name
        assert all(len(line) <= 125 for line in text.splitlines() if not name.endswith(".md")), name


def test_the_build_file(module: Path, family: str) -> None:
    text = (module / "build.gradle.kts").read_text()
    assert text.startswith('plugins {\n    id("com.android.library")\n')
    assert "org.jetbrains.kotlin.android" not in text, "version 9 of the plugin refuses it"
    assert 'namespace = "com.example.speech"' in text
    numbers = dict(re.findall(r"(compileSdk|minSdk|targetSdk|minCompileSdk) = (\d+)", text))
    assert numbers == {"compileSdk": "36", "minSdk": "26", "targetSdk": "36", "minCompileSdk": "26"}
    extension = "tflite" if family == "keyword" else "onnx"
    assert f'noCompress += listOf("{extension}")' in text
    assert any(path.suffix == f".{extension}" for path in (module / "src/main/assets/speech").iterdir())
    runtime = RUNTIME["litert" if family == "keyword" else "onnx"].removeprefix("maven:")
    assert f'implementation("{runtime}")' in text
    assert 'consumerProguardFiles("consumer-rules.pro")' in text and "explicitApi()" in text
    assert 'singleVariant("release")' in text and 'from(components["release"])' in text
    for smell in ("apply plugin", "apply(plugin", "kotlinOptions", "buildscript", "jcenter", "sdk.dir", "/home/", "+\"",
                  "compile(", "allprojects", "versionCode", "packagingOptions", "aaptOptions"):  # fmt: skip
        assert smell not in text, smell
    assert not re.search(r'"[\w.-]+:[\w.-]+:[^"]*[+\[]', text), "a version is exact"
    assert text.count("{") == text.count("}") and text.count("(") == text.count(")")


def test_the_pom_names_both_licences(module: Path) -> None:
    text = (module / "build.gradle.kts").read_text()
    assert re.findall(r'name = "([^"]+)"\n +comments = "([^"]+)"', text) == [
        ("Apache-2.0", "the code"),
        ("MIT", "the weights"),
    ]
    assert 'group = "com.example.speech"' in text and 'version = "1.2.0"' in text and 'artifactId = "speech"' in text


def test_imports_are_in_order(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    place = edgekit.package(bundles["whisper"], "gradle", out=tmp_path / "x", options={"package": "zz.acme"})
    for name, text in texts(place).items():
        imports = [line.rstrip(";") for line in text.splitlines() if line.startswith("import ")]
        assert imports == sorted(imports), name
    assert "import zz.acme.loops.Samples\n" in texts(place)["src/main/kotlin/zz/acme/Transcriber.kt"]


def test_for_version_8_of_the_plugin(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    place = edgekit.package(bundles["vision"], "gradle", out=tmp_path / "x", options={**NAMED, "agp": "8"})
    text = (place / "build.gradle.kts").read_text()
    assert 'id("com.android.library")\n    id("org.jetbrains.kotlin.android")\n' in text
    assert "agp=9" in (place / "README.md").read_text()


def test_no_permission_and_nobody_is_told(module: Path, family: str) -> None:
    root = ET.fromstring((module / "src/main/AndroidManifest.xml").read_text())
    assert root.tag == "manifest" and not root.findall("uses-permission") and "package" not in root.attrib
    providers = [dict(one.attrib) for one in root.iter("provider")]
    tools = "{http://schemas.android.com/tools}node"
    assert all(one[tools] == "remove" for one in providers) and bool(providers) == (family != "keyword")
    for name, text in texts(module).items():
        for word in (
            "INTERNET",
            "java.net.",
            "HttpURL",
            "okhttp",
            "Log.",
            "printStackTrace",
            "System.out",
            "GlobalScope",
        ):
            assert word not in text, (name, word)
    if family != "keyword":
        assert "ORT_DISABLE_TELEMETRY" in texts(module)["src/main/kotlin/com/example/speech/OnnxGraph.kt"]
        assert "setTelemetry(false)" in texts(module)["src/main/kotlin/com/example/speech/OnnxGraph.kt"]


def test_rules_keep_what_native_code_looks_up(module: Path, family: str) -> None:
    text = (module / "consumer-rules.pro").read_text()
    kept = "org.tensorflow.lite.**" if family == "keyword" else "ai.onnxruntime.**"
    assert re.search(rf"^-keep class [^\n]*{re.escape(kept)} \{{ \*; \}}$", text, re.M)
    assert "-dontobfuscate" not in text and "-dontshrink" not in text and "-keep class **" not in text


def test_the_model_never_goes_through_the_heap(module: Path) -> None:
    text = "\n".join(text for name, text in texts(module).items() if "/main/kotlin/" in name)
    assert "createSession(file.path" in text or "Interpreter(file," in text
    assert text.count("readBytes()") == 2, "the list of files, and what is small and checked"


def test_the_list_of_files_is_complete(module: Path) -> None:
    assets = module / "src/main/assets/speech"
    listed = {one["name"]: one for one in json.loads((assets / "files.json").read_text())["files"]}
    here = {path.relative_to(assets).as_posix(): path for path in assets.rglob("*") if path.is_file()}
    assert set(listed) == set(here) - {"files.json"}
    for name, one in listed.items():
        data = here[name].read_bytes()
        assert (one["size"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (assets / "licences" / "weights.txt").read_text() == "do as you like"
    assert {"model.json", "golden/input.bin", "golden/reference.bin"} <= set(listed)


def test_the_same_bundle_gives_the_same_bytes(
    bundles: Mapping[str, Path], module: Path, family: str, tmp_path: Path
) -> None:
    again = edgekit.package(bundles[family], "gradle", out=tmp_path / "again", options=NAMED)
    first = {path.relative_to(module): path.read_bytes() for path in module.rglob("*") if path.is_file()}
    assert first == {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}


def test_an_asset_pack(bundles: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = edgekit.package(bundles["vision"], "gradle", out=tmp_path / "asked", options={**NAMED, "pack": "yes"})
    monkeypatch.setattr(gradle, "BASE_MODULE", 1_000)
    place = edgekit.package(bundles["vision"], "gradle", out=tmp_path / "large", options=NAMED)
    packed = place / "pack/src/main/assets/speech"
    assert [path.name for path in packed.iterdir()] == ["network.onnx"]
    assert not (place / "src/main/assets/speech/network.onnx").exists()
    listed = json.loads((place / "src/main/assets/speech/files.json").read_text())["files"]
    assert "network.onnx" in [one["name"] for one in listed], "it is opened as every asset is"
    text = (place / "pack/build.gradle.kts").read_text()
    assert 'packName = "speech"' in text and 'deliveryType = "install-time"' in text
    readme = (place / "README.md").read_text()
    assert 'include(":speech-pack")' in readme and 'assetPacks += ":speech-pack"' in readme
    assert {p.relative_to(asked) for p in asked.rglob("*")} == {p.relative_to(place) for p in place.rglob("*")}


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "package",
    ["", "_.a", "speech", "com.class.speech", "com.in.speech", "1com.example", "com..x", "com.example.", "com.é.x",
     "com.example;exec", "android.speech", "java.speech", "com.ex ample", "com.example\nx", "a." * 101 + "a"],
)  # fmt: skip
def test_packages_that_are_none(bundles: Mapping[str, Path], tmp_path: Path, package: str) -> None:
    with pytest.raises(BadInput, match="package"):
        edgekit.package(bundles["vision"], "gradle", out=tmp_path / "x", options={"package": package})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"name": "../x"}, {"name": ""}, {"name": "a/b"}, {"name": 'a"b'}, {"name": "a" * 65}, {"version": "1 2"},
     {"version": '1"'}, {"version": ""}, {"agp": "7"}, {"pack": "maybe"}, {"nmae": "x"}],
    ids=str,
)  # fmt: skip
def test_options_that_are_none(bundles: Mapping[str, Path], tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        edgekit.package(bundles["vision"], "gradle", out=tmp_path / "x", options=options)
    assert list(tmp_path.iterdir()) == []


def test_names_of_the_model_where_none_are_given(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    place = edgekit.package(bundles["whisper"], "gradle", out=tmp_path / "x")
    text = (place / "build.gradle.kts").read_text()
    assert 'namespace = "edgekit.models.toy_whisper"' in text and 'artifactId = "toy-whisper"' in text


@pytest.mark.parametrize("model", ["9-nai-ve", "new", "é", "In-flight", "7B", "x" * 300])
def test_names_are_legal_whatever_the_model_is_called(model: str) -> None:
    names = names_of({}, model)
    assert names_of({"package": names.package, "name": names.name}, "x") == names


def test_what_no_module_can_be_is_told_without_a_word_on_names(tmp_path: Path) -> None:
    bundle = made_up(tmp_path / "b", "9 lives", [("network", [], [])], {}, task="graph-ml")
    for form in ("gradle", "aar", "apk"):
        with pytest.raises(Unsupported, match="'graph-ml'"):
            edgekit.package(bundle, form, out=tmp_path / "x")


def test_a_bundle_of_another_target_says_which(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(bundles["vision"], tmp_path / "laptop")
    target = msgspec.structs.replace(decode((copy / "manifest.json").read_bytes()).target, name="laptop")
    changed(copy, target=target)
    with pytest.raises(Unsupported, match="made for laptop") as caught:
        edgekit.package(copy, "gradle")
    assert "--target android" in caught.value.hint


def test_what_has_no_loop_is_refused_with_one_sentence(tmp_path: Path) -> None:
    bundle = made_up(tmp_path / "b", "protein", [("network", [], [])], {}, task="graph-ml")
    with pytest.raises(Unsupported) as caught:
        edgekit.package(bundle, "gradle", out=tmp_path / "x")
    said = "b cannot become a Gradle module: the task 'graph-ml' has no loop for phones."
    assert caught.value.message == said and "voice-activity-detection" in caught.value.hint


@pytest.mark.parametrize(
    ("facts", "parts", "why"),
    [
        ({}, ["network"], "its manifest lacks the fact 'height'"),
        ({"resize": {"filter": "lanczos"}}, ["network"], "its fact 'resize.filter' is 'lanczos', and the loop has"),
        ({"resize": {"crop": "center"}}, ["network"], "its fact 'resize.crop' is 'center', and the loop has no such"),
        ({"activation": "tanh"}, ["network"], "its fact 'activation' is 'tanh', and the loop has 'sigmoid', 'softmax'"),
        ({}, ["detector"], "it has no part 'network'"),
    ],
)
def test_what_a_loop_would_need_is_named(tmp_path: Path, facts: dict[str, Any], parts: list[str], why: str) -> None:
    known = {"height": 8, "width": 8, "labels": ["cat"], "threshold": 0.5, "overlap": 0.3} if facts else {}
    listed = [(part, [], []) for part in parts]
    bundle = made_up(tmp_path / "b", "hub", listed, {**known, **facts}, task="object-detection")
    with pytest.raises(Unsupported, match="by the loop of the task 'object-detection': ") as caught:
        edgekit.package(bundle, "gradle", out=tmp_path / "x")
    assert why in caught.value.message and "--as zip" in caught.value.hint


def test_tensors_of_a_type_that_no_loop_has(tmp_path: Path) -> None:
    bundle = made_up(tmp_path / "b", "imported", [("network", [tensor("x", "float16", 1)], [])], {}, task="tensors")
    with pytest.raises(Unsupported, match="'x' is float16, and the loop has float32, int64"):
        edgekit.package(bundle, "gradle", out=tmp_path / "x")


def test_a_language_model_is_no_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = made_up(tmp_path / "b", "language", [("model", [], [])], {}, exporter="gguf")
    assert run(["package", str(bundle), "--as", "aar"]) == 2
    error = capsys.readouterr().err
    assert "only bundles of the exporter onnx can, not of gguf" in error
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_hostile_manifest_does_not_write_the_build_file(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(bundles["vision"], tmp_path / "b")
    manifest = decode((copy / "manifest.json").read_bytes())
    evil = '"); Runtime.getRuntime().exec("x"); //${System.exit(1)}\n'
    changed(
        copy,
        licences={"weights": evil},
        model=msgspec.structs.replace(manifest.model, name=f"it{evil}"),
        source=msgspec.structs.replace(manifest.source, uri=evil, revision=evil),
        gate=msgspec.structs.replace(manifest.gate, reason=evil),
    )
    place = edgekit.package(copy, "gradle", out=tmp_path / "out", options=NAMED)
    text = (place / "build.gradle.kts").read_text()
    assert all(line.count('"') in (0, 2) for line in text.splitlines()), "a text ends where it should"
    assert "$" not in text and "\\" not in text
    assert "${System" not in (place / "README.md").read_text()
    for runtime in ({}, {"onnx": f"maven:a:b:{evil}"}, {"onnx": "pip:onnxruntime"}):
        changed(copy, target=msgspec.structs.replace(manifest.target, runtime=runtime))
        with pytest.raises(BadInput, match="Maven coordinates"):
            edgekit.package(copy, "gradle", out=tmp_path / "other", options=NAMED)


@pytest.mark.parametrize("damage", ["input", "reference", "tokenizer", "facts"])
def test_golden_files_that_are_none(
    toy_whisper: ToyWhisper, tmp_path: Path, damage: str, bundles: Mapping[str, Path]
) -> None:
    import shutil

    from edgekit.bundles.bundle import inventory

    copy = shutil.copytree(bundles["whisper"], tmp_path / "b")
    manifest: Any = decode((copy / "manifest.json").read_bytes())
    file = {"input": "golden/input.wav", "reference": "golden/reference.npz"}.get(damage, "tokenizer.json")
    if damage == "facts":
        changed(copy, facts={**manifest.facts, "tokens": {}})
    else:
        (copy / file).write_bytes(b"{}")
        changed(copy, files=inventory(copy), golden=manifest.golden)
    with pytest.raises(BadInput):
        edgekit.package(copy, "gradle", out=tmp_path / "out", options=NAMED)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
