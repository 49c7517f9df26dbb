"""Libraries and apps for Android, made without Gradle: what is refused before any work, and what comes out."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from helpers.devices.packaging import tools
from helpers.devices.phone_bundles import toys
from helpers.toys.toy_whisper import ToyWhisper
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.common.packed import pack
from edgekit.core import Bundle
from edgekit.errors import BadInput, ExportFailed, MissingExtra, OverBudget, Unsupported
from edgekit.targets.android.arm64 import onnx as arm64_onnx
from edgekit.targets.android.forms import aar, apk, checks, java, native
from edgekit.targets.android.forms import tools as android_tools
from edgekit.targets.android.forms.archive import content, entries
from edgekit.targets.android.forms.checks import check_archive
from edgekit.targets.android.forms.elf import check_library
from edgekit.targets.android.forms.fitness import package_facts, versions_of
from edgekit.targets.android.forms.gradle import app_of
from edgekit.targets.common import calls
from edgekit.targets.common.assets import write_assets

FORMS = ("aar", "apk")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, toy_whisper: ToyWhisper) -> Mapping[str, Path]:
    return toys(tmp_path_factory.mktemp("toys"), toy_whisper)


# --- before any work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("package", ["speech", "com.class.x", "com.1x", "a b.c", "../a.b", "android.x"])
def test_packages_that_are_not_legal_java(bundles: Mapping[str, Path], tmp_path: Path, form: str, package: str) -> None:
    with pytest.raises(BadInput, match="package"):
        edgekit.package(bundles["vision"], form, out=tmp_path / "x", options={"package": package})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", FORMS)
def test_another_runtime_is_refused_with_the_command_that_helps(
    bundles: Mapping[str, Path], tmp_path: Path, form: str
) -> None:
    with pytest.raises(Unsupported, match="only bundles of the exporter onnx can, not of litert") as refused:
        edgekit.package(bundles["keyword"], form, out=tmp_path / "x")
    assert "--runtime onnxruntime" in refused.value.hint


@pytest.mark.parametrize("form", FORMS)
def test_a_part_that_is_not_onnx_is_refused(bundles: Mapping[str, Path], tmp_path: Path, form: str) -> None:
    with pytest.raises(BadInput, match=r"network\.onnx is not an ONNX file"):
        edgekit.package(bundles["vision"], form, out=tmp_path / "x")


def test_a_packed_part_is_plain_in_an_app(bundles: Mapping[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["vision"], tmp_path / "bundle")
    manifest = open_bundle(tmp_path / "bundle").manifest
    part, out = manifest.parts[0], tmp_path / "assets"
    whole = (tmp_path / "bundle" / part.file).read_bytes()
    pack(whole, tmp_path / "bundle" / f"{part.file}.gz")
    parts = (msgspec.structs.replace(part, file=f"{part.file}.gz"), *manifest.parts[1:])
    out.mkdir()
    sizes = write_assets(Bundle(tmp_path / "bundle", msgspec.structs.replace(manifest, parts=parts)), out)
    assert (out / part.file).read_bytes() == whole and sizes[part.file] == len(whole)
    assert next(one["file"] for one in json.loads((out / "model.json").read_bytes())["parts"]) == part.file


@pytest.mark.parametrize("form", FORMS)
def test_what_the_store_does_not_deliver_is_told_with_both_numbers(
    bundles: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(checks, "BASE_MODULE", 1000)
    monkeypatch.setattr(apk if form == "apk" else aar, "check_bundle", lambda bundle, what: app_of(bundle))
    with pytest.raises(OverBudget, match=r"has 0\.\d MB; Google Play delivers at most 0 MB") as refused:
        edgekit.package(bundles["whisper"], form, out=tmp_path / "x")
    assert "--as gradle" in refused.value.hint


def test_a_missing_tool_names_the_make_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtra, match="make android-tools"):
        android_tools.tool("aapt2")


# --- which runtime reads it -------------------------------------------------------------------------------------------


def graph(place: Path, opset: int, ir: int) -> Path:
    made = helper.make_graph([], "empty", [], [])
    imports = [helper.make_opsetid("com.microsoft", 99), helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(made, opset_imports=imports, ir_version=ir), place)
    return place


def test_versions_are_read_without_onnx(tmp_path: Path) -> None:
    assert versions_of(graph(tmp_path / "a.onnx", 20, 10)) == (10, 20)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_damaged_graph_is_one_typed_error(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    place = tmp_path_factory.mktemp("damaged") / "a.onnx"
    whole = graph(place, 20, 10).read_bytes()
    place.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    try:
        versions_of(place)
    except BadInput as exc:
        assert "a.onnx" in exc.message


def test_a_package_says_which_runtime_proved_it_and_which_it_has(bundles: Mapping[str, Path]) -> None:
    said = package_facts(open_bundle(bundles["vision"]), "1.26.0")
    assert said["note"] == "proven with unknown, packaged with 1.26.0: run the self-test"


# --- what is compiled -------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_apps_native_library_computes_on_emulated_arm(tmp_path: Path) -> None:
    """The very file that goes into an app. It needs so little of Android's C library that this system's will do."""
    tools()
    emulated = arm64_onnx.tools()
    library = tmp_path / "libedgekit.so"
    library.write_bytes(native.library())
    assert check_library(library.read_bytes(), library.name, "arm64-v8a").needed == ("libdl.so", "libc.so")
    for name, here in {"libc.so": "libc.so.6", "libdl.so": "libdl.so.2"}.items():
        (tmp_path / name).symlink_to(Path("/usr/aarch64-linux-gnu/lib") / here)
    replay, source = tmp_path / "jni_replay", Path(__file__).parents[1] / "jni_replay.cpp"
    headers = [f"-I{java.PHONE.parent / 'replay'}", *native.headers(tmp_path)]
    command = ["aarch64-linux-gnu-g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", *headers, source]
    subprocess.run([*command, "-o", replay, "-ldl"], check=True)
    feeds = every_type()
    model = echoing(tmp_path / "echo.onnx", feeds)
    calls.write(tmp_path / "calls", [feeds, feeds])
    command = emulated.command("cortex-a53")
    command = [*command[:-2], "-E", f"LD_LIBRARY_PATH={tmp_path}", replay, library, command[-1], model]
    names = [f"{name}_back" for name in feeds]
    done = subprocess.run(
        [*command, tmp_path / "calls", tmp_path / "answers", *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for answer in calls.read(tmp_path / "answers"):
        for name, value in feeds.items():
            np.testing.assert_array_equal(answer[f"{name}_back"], value)
            assert answer[f"{name}_back"].dtype == value.dtype
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    command[-1] = tmp_path / "broken.onnx"
    done = subprocess.run(
        [*command, tmp_path / "calls", tmp_path / "answers", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "broken.onnx" in done.stderr) == (2, True)


def every_type() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {
        "float": rng.standard_normal((2, 3)).astype(np.float32),
        "long": np.array([[1 << 40], [-1]], np.int64),
        "byte": np.arange(250, 256, dtype=np.uint8).reshape(1, 2, 3),
        "signed": np.array([-128, 127], np.int8),
        "int": np.array([[1 << 30, -1, 7]], np.int32),
        "truth": np.array([[True], [False]]),
        "none": np.zeros((0, 3), np.float32),
    }


def echoing(place: Path, feeds: Mapping[str, NDArray[Any]]) -> Path:
    """A graph that gives its inputs back."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in feeds.items()}
    nodes = [helper.make_node("Identity", [name], [f"{name}_back"]) for name in feeds]
    made = helper.make_graph(
        nodes, "echo",
        [helper.make_tensor_value_info(name, kinds[name], value.shape) for name, value in feeds.items()],
        [helper.make_tensor_value_info(f"{name}_back", kinds[name], value.shape) for name, value in feeds.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), place)
    return place


@pytest.mark.thorough
def test_lambdas_are_refused_before_the_dexer_chokes(tmp_path: Path) -> None:
    tools()
    source = "package a; class B { Runnable c() { return () -> {}; } }"
    with pytest.raises(ExportFailed, match=r"a/B\.class has a lambda"):
        java.dex_of(java.classes_of({"a/B.java": source}, [], tmp_path), tmp_path)


# --- real bundles -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keywords(bundle_of: Callable[..., Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    tools()
    out = tmp_path_factory.mktemp("bundles") / "ds-cnn-kws-android-int8"  # what is written takes the folder's name
    return Path(shutil.copytree(bundle_of("ds-cnn-kws", "android").path, out))


@pytest.fixture(scope="module")
def app(keywords: Path) -> Path:
    options = {"package": "com.example.words", "name": "words-and-more", "version": "1.2.0"}
    return edgekit.package(keywords, "apk", options=options)


@pytest.mark.real
def test_the_demo_app_is_signed_aligned_and_the_same_bytes_again(app: Path, keywords: Path, tmp_path: Path) -> None:
    assert app == keywords.with_name("ds-cnn-kws-android-int8.apk")
    facts = check_archive(app)
    assert list(facts.libraries) == ["arm64-v8a"]
    assert set(facts.libraries["arm64-v8a"]) == {"libonnxruntime.so", "libedgekit.so"}
    assert {"assets/edgekit/network.onnx", "assets/edgekit/frontend.onnx"} <= set(facts.stored)
    assert content(app, "classes.dex").startswith(b"dex\n035\0")
    said = apk.inspect(app, "com.example.words")
    assert (said["signatures"], said["minSdk"], said["targetSdk"]) == ("v2, v3", "26", "35")
    assert "words-and-more".encode("utf-16-le") in content(app, "AndroidManifest.xml")
    told = json.loads(content(app, "assets/edgekit/packaged.json"))
    assert told["runtime"] == f"onnxruntime {android_tools.RUNTIME.revision}"
    assert told["note"].endswith("run the self-test")
    again = edgekit.package(
        keywords, "apk", out=tmp_path / "again.apk",
        options={"package": "com.example.words", "name": "words-and-more", "version": "1.2.0"},
    )  # fmt: skip
    assert again.read_bytes() == app.read_bytes()


@pytest.mark.real
def test_an_app_whose_bytes_were_changed_is_not_signed_any_more(app: Path, tmp_path: Path) -> None:
    body = bytearray(app.read_bytes())
    start = next(entry.start for entry in entries(app) if entry.name == "assets/edgekit/network.onnx")
    body[start] ^= 1
    (tmp_path / "changed.apk").write_bytes(body)
    with pytest.raises(ExportFailed, match="apksigner verify failed"):
        apk.inspect(tmp_path / "changed.apk", "com.example.words")


@pytest.mark.real
def test_the_library_is_a_maven_repository(keywords: Path, tmp_path: Path) -> None:
    options = {"package": "com.example.words", "name": "words", "version": "1.2.0"}
    made = edgekit.package(keywords, "aar", out=tmp_path / "one", options=options)
    folder = made / "com/example/words/words/1.2.0"
    assert sorted(path.name for path in folder.iterdir()) == [
        "words-1.2.0.aar", "words-1.2.0.aar.sha256", "words-1.2.0.pom", "words-1.2.0.pom.sha256",
    ]  # fmt: skip
    library = folder / "words-1.2.0.aar"
    facts = check_archive(library)
    assert facts.libraries == {}
    assert "assets/edgekit/com.example.words/network.onnx" in facts.stored
    names = {entry.name for entry in entries(library)}
    assert {"AndroidManifest.xml", "R.txt", "classes.jar", "proguard.txt"} <= names
    with zipfile.ZipFile(io.BytesIO(content(library, "classes.jar"))) as jar:
        assert {name.rpartition("/")[0] for name in jar.namelist()} == {"com/example/words", "com/example/words/loops"}
    assert ET.fromstring(content(library, "AndroidManifest.xml")).get("package") == "com.example.words"
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    pom = ET.parse(folder / "words-1.2.0.pom").getroot()
    proven = open_bundle(keywords).manifest.app_dependency.removeprefix("maven:")
    parts = [
        pom.findtext(f"m:dependencies/m:dependency/m:{key}", "", space) for key in ("groupId", "artifactId", "version")
    ]
    assert ":".join(parts) == proven
    assert (pom.findtext("m:packaging", "", space), pom.findtext("m:groupId", "", space)) == (
        "aar",
        "com.example.words",
    )
    words = (made / "README.md").read_text()
    assert "model.loop().feed(" in words
    assert "edgekit" not in words
    again = edgekit.package(keywords, "aar", out=tmp_path / "two", options=options)
    assert (again / library.relative_to(made)).read_bytes() == library.read_bytes()


@pytest.mark.real
def test_published_libraries_pass_or_are_refused_by_name() -> None:
    """The official runtime that goes into apps: four ABIs, pages of 16 KB, nothing that reports to anybody."""
    tools()
    facts = check_archive(android_tools.runtime())
    assert sorted(facts.libraries) == ["arm64-v8a", "armeabi-v7a", "x86", "x86_64"]
