"""Swift packages: what is in them, what is refused, and that they build and pass their own tests."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers.devices.swift import against_stubs, swift

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle
from edgekit.errors import BadInput, Unsupported
from edgekit.targets.ios import swift as swift_module

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def bundle(bundle_of: Callable[..., Bundle]) -> Path:
    return bundle_of("ds-cnn-kws", "ios").path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_package_builds_and_passes_its_tests(bundle: Path, tmp_path: Path) -> None:
    made = edgekit.package(bundle, "swift", out=tmp_path / "made")
    said = swift("test", made)
    assert "Executed 3 tests, with 0 failures" in said
    again = edgekit.package(bundle, "swift", out=made)  # what the build left there is no work of the user's
    assert not (again / ".build").exists()


def test_what_needs_apples_frameworks_compiles(tmp_path: Path) -> None:
    """Against stubs of our own, with Apple's signatures as they are documented: no more than that is known here."""
    against_stubs(tmp_path)


def test_what_is_in_a_package(bundle: Path, tmp_path: Path) -> None:
    one = files_of(edgekit.package(bundle, "swift", out=tmp_path / "one"))
    assert one == files_of(edgekit.package(bundle, "swift", out=tmp_path / "other"))
    manifest = one["Package.swift"].decode()
    assert 'platforms: [.iOS("16.0"), .macOS("13.0")]' in manifest and "Zip" not in manifest
    for target in re.findall(r'arget\(name: "(\w+)"', manifest):
        place = "Tests" if target.endswith("Tests") else "Sources"
        assert any(name.startswith(f"{place}/{target}/") for name in one), target
    listed = json.loads(one["Sources/DsCnnKws/Model/files.json"])["files"]
    assert {f"Sources/DsCnnKws/Model/{entry['name']}" for entry in listed} <= one.keys()
    assert "Sources/DsCnnKws/Model/network.mlpackage/Manifest.json" in one
    text = b"".join(content for name, content in one.items() if name.endswith((".swift", ".md")))
    assert b"Edgekit" not in text and b"edgekit-model" not in text and b"URLSession" not in text
    assert not any("Whisper" in name or "Picture" in name for name in one)


def test_a_name(bundle: Path, tmp_path: Path) -> None:
    made = edgekit.package(bundle, "swift", out=tmp_path / "made", options={"name": "Words"})
    assert (made / "Sources" / "Words" / "WakeWordDetector.swift").is_file()


@pytest.mark.parametrize("model", ["9-nai-ve", "foundation", "é", "my_net", "transcriber", "x" * 300])
def test_the_name_of_a_model_always_makes_one(model: str) -> None:
    made = swift_module.module_name(None, model)
    assert swift_module.module_name(made, "x") == made


@pytest.mark.parametrize("name", ["", "words", "My-Words", "Foundation", "../Up", "W" * 99, 'A"', "Transcriber"])
def test_names_that_swift_does_not_take(bundle: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a Swift module"):
        edgekit.package(bundle, "swift", out=tmp_path / "made", options={"name": name})
    assert not (tmp_path / "made").exists()


def test_bundles_that_have_no_package(bundle: Path, tmp_path: Path) -> None:
    opened = open_bundle(bundle)

    def changed(**facts: Any) -> Bundle:
        return replace(opened, manifest=msgspec.structs.replace(opened.manifest, **facts))

    told = opened.manifest
    old = [msgspec.structs.replace(part, census={}) for part in told.parts]
    for other, error, said in (
        (changed(recipe=msgspec.structs.replace(told.recipe, exporter="onnx")), Unsupported, "the onnx exporter"),
        (changed(model=msgspec.structs.replace(told.model, task="poetry")), Unsupported, "'poetry' has no loop"),
        (changed(facts={**told.facts, "rules": {}}), Unsupported, "lacks the fact 'rules.refractory'"),
        (changed(parts=old), BadInput, "which iOS"),
    ):
        with pytest.raises(error, match=said):
            swift_module.write(other, tmp_path, {})
        for left in list(tmp_path.iterdir()):
            shutil.rmtree(left)
