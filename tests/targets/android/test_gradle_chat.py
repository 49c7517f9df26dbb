"""A language model as a Gradle module: what is written, and what compiles. Its conversation: `test_conversations`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import absent
from helpers.cases.chat_bundles import chat_bundle
from helpers.cases.gguf_files import llama_file
from helpers.devices.chat import crossed, flows

import edgekit
from edgekit.errors import Unsupported

pytestmark = pytest.mark.thorough

NAMED = {"package": "com.example.talk", "name": "talk"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chat_bundle(tmp_path_factory.mktemp("chat"), "android")


@pytest.fixture(scope="module")
def module(bundle: Path) -> Path:
    return edgekit.package(bundle, "gradle", out=bundle.with_name("module"), options=NAMED)


@pytest.fixture(scope="module")
def assets(module: Path) -> Path:
    return module / "src/main/assets/talk"


def test_what_is_written(module: Path, assets: Path) -> None:
    native = module / "src/main/cpp"
    assert (native / "llama.cpp/src/llama.cpp").is_file() and (native / "llama.cpp/ggml/src/ggml-cpu").is_dir()
    assert not (native / "llama.cpp/ggml/src/ggml-cuda").exists()
    assert "16384" in (native / "CMakeLists.txt").read_text()
    assert (assets / "licences/llama.cpp.txt").read_text().startswith("MIT License")
    assert "uses-permission" not in (module / "src/main/AndroidManifest.xml").read_text()
    listed = {entry["name"] for entry in json.loads((assets / "files.json").read_text())["files"]}
    assert {"chat.json", "network.gguf", "licences/llama.cpp.txt"} <= listed
    for path in module.rglob("*"):
        ours = path.suffix in (".kt", ".kts", ".java", ".xml", ".pro", ".md") and "llama.cpp" not in path.parts
        if ours or (path.name in ("CMakeLists.txt", "chat_jni.cpp") and path.parent == native):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"edgekit[.-](?!package)[a-z]+|edgekit/phone|0\.0\.0-version", text), path
            assert not re.search(r"INTERNET|java\.net\.|System\.out|Log\.", text), path


def test_the_copied_source_is_whole_for_cmake(module: Path, tmp_path: Path) -> None:
    """Configured, not built: every file that a target names has to be there."""
    if shutil.which("cmake") is None:
        absent("there is no CMake")
    command = ["cmake", "-S", str(module / "src/main/cpp"), "-B", str(tmp_path), "-DCMAKE_BUILD_TYPE=Release"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_it_compiles_for_arm(tmp_path: Path) -> None:
    crossed(tmp_path)


def test_its_flows(tmp_path: Path) -> None:
    """Kotlin's side, with warnings as errors: an answer in pieces, its beginning, and one cancelled inside a token."""
    assert flows(tmp_path).splitlines() == ["a b c d ", "length 4", "a b ", "a ", "the model is closed"]


def test_without_a_chat_template(tmp_path: Path, bundle: Path) -> None:
    file = llama_file(tmp_path / "bare.gguf")
    bare = edgekit.export(str(file), target="android", precision="f16", out=tmp_path / "bare", evidence=False)
    with pytest.raises(Unsupported, match="no chat template"):
        edgekit.package(bare.path, "gradle", out=tmp_path / "module")
