"""A language model as a Swift package: what is written; and, slowly, that all of it builds and passes its own tests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers.cases.chat_bundles import chat_bundle
from helpers.devices.swift import swift

import edgekit
from edgekit.errors import BadInput, Unsupported


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chat_bundle(tmp_path_factory.mktemp("chat"), "ios")


@pytest.fixture(scope="module")
def package(bundle: Path) -> Path:
    schemas = bundle.with_name("schemas")
    schemas.mkdir()
    (schemas / "answer.json").write_text('{"type": "boolean"}')
    return edgekit.package(
        bundle, "swift", out=bundle.with_name("package"), options={"name": "Talk", "schemas": str(schemas)}
    )


def test_what_is_written(package: Path) -> None:
    native, assets = package / "Sources/TalkNative", package / "Sources/Talk/Model"
    assert (native / "include/chat.h").is_file() and (
        native / "llama.cpp/ggml/src/ggml-cpu/arch/arm/quants.c"
    ).is_file()
    for folder in ("powerpc", "riscv", "wasm"):
        assert not (native / "llama.cpp/ggml/src/ggml-cpu/arch" / folder).exists()
    assert not any(native.rglob("CMakeLists.txt")) and not any(native.rglob("*.in"))
    every = {path.name for path in (native / "llama.cpp/src/models").glob("*.cpp")}
    named = [re.findall(r"models/([\w.-]+\.cpp)", path.read_text()) for path in native.glob("models*.cpp")]
    assert sorted(name for names in named for name in names) == sorted(every), "each architecture, once"
    assert "VERSION" in (native / "llama.cpp/src/llama-version.h").read_text()
    assert (assets / "licences/llama.cpp.txt").read_text().startswith("MIT License")
    listed = {entry["name"] for entry in json.loads((assets / "files.json").read_text())["files"]}
    assert {"chat.json", "network.gguf", "licences/llama.cpp.txt"} <= listed
    assert json.loads((assets / "chat.json").read_text())["grammars"].keys() == {"answer"}
    for path in [*package.rglob("*.swift"), package / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"[Ee]dgekit-?(?!package|Talk)[A-Za-z]+|URLSession", re.sub(r"`edgekit [^`]*`", "", text)
        ), path


def test_what_no_package_gets(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot name a Swift module"):
        edgekit.package(bundle, "swift", out=tmp_path / "made", options={"name": "Chat"})
    other = chat_bundle(tmp_path, "ios", "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}")
    with pytest.raises(Unsupported, match="more than put texts"):
        edgekit.package(other, "swift", out=tmp_path / "made")


@pytest.mark.slow
def test_all_of_it_builds_and_passes_its_tests(package: Path) -> None:
    """llama.cpp's source too: some minutes."""
    native = ("-Xcc", "-march=native", "-Xcxx", "-march=native")
    assert "with 0 failures" in swift("test", package, *native)
