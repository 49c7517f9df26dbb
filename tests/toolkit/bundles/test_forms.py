"""Forms that targets bring to `package`: options, folders that replace only what an earlier run wrote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.bundles.manifest import Manifest, encode
from edgekit.cli.command import run
from edgekit.core import Bundle, Form
from edgekit.errors import BadInput, Unsupported


def write(bundle: Bundle, place: Path, options: Mapping[str, str]) -> None:
    (place / "src").mkdir()
    (place / "src" / "name.txt").write_text(options.get("name", bundle.manifest.model.name))
    if options.get("name") == "half":
        raise Unsupported("not with that name.")


@pytest.fixture(autouse=True)
def forms(toy: object, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Form("-app", write, folder=True, options={"name": "such as speech"}, leftovers=("build",))
    monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, forms={"app": folder}))


def test_a_folder_is_written_and_written_again(bundle: Path) -> None:
    place = edgekit.package(bundle, "app")
    assert place == bundle.resolve().with_name("bundle-app")
    first = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert {path.name for path in first} == {"name.txt", "edgekit-package.json"}
    (place / "build").mkdir()
    (place / "build" / "left.o").write_text("x")
    assert edgekit.package(bundle, "app") == place
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == first
    assert edgekit.package(bundle, "app", options={"name": "speech"}) == place
    assert (place / "src" / "name.txt").read_text() == "speech"
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("change", ["edit", "add", "remove", "link", "record", "not ours"])
def test_somebodys_work_is_not_replaced(bundle: Path, tmp_path: Path, change: str) -> None:
    place = edgekit.package(bundle, "app")
    file, noted = place / "src" / "name.txt", place / "edgekit-package.json"
    if change == "edit":
        file.write_text("mine")
    elif change == "add":
        (place / "src" / "mine.txt").write_text("mine")
    elif change == "remove":
        file.unlink()
    elif change == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif change == "record":
        noted.write_text("[" * 100_000)
    else:
        shutil.rmtree(place)
        place.mkdir()
        (place / "settings.gradle").write_text("mine")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with pytest.raises(BadInput, match="will not be replaced") as caught:
        edgekit.package(bundle, "app")
    assert "another --out" in caught.value.hint
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_failure_leaves_the_earlier_folder(bundle: Path) -> None:
    place = edgekit.package(bundle, "app")
    with pytest.raises(Unsupported, match="not with that name"):
        edgekit.package(bundle, "app", options={"name": "half"})
    assert (place / "src" / "name.txt").read_text() == "toy-speller"
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("importer", "called"), [("", "toy-speller"), ("python-file", "SOURCE")])
def test_a_form_of_another_target_names_what_to_export(bundle: Path, importer: str, called: str) -> None:
    manifest = bundle / "manifest.json"
    facts = json.loads(manifest.read_bytes())
    facts["model"]["importer"] = importer
    manifest.write_bytes(encode(msgspec.convert({**facts, "digest": ""}, Manifest)))
    with pytest.raises(Unsupported, match="that form is of ios") as caught:
        edgekit.package(bundle, "swift")
    assert f"edgekit export {called} --target ios" in caught.value.hint


def test_an_empty_folder_is_taken_a_file_is_not(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert edgekit.package(bundle, "app", out=tmp_path / "empty") == tmp_path / "empty"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="will not be replaced"):
        edgekit.package(bundle, "app", out=tmp_path / "file")
    with pytest.raises(BadInput, match="inside the bundle"):
        edgekit.package(bundle, "app", out=bundle / "app")
    assert (tmp_path / "file").read_text() == "mine"


def test_options_are_checked(bundle: Path) -> None:
    with pytest.raises(BadInput, match="no option 'nmae'") as caught:
        edgekit.package(bundle, "app", options={"nmae": "x"})
    assert "name: such as speech" in caught.value.hint
    with pytest.raises(BadInput, match="is a text"):
        edgekit.package(bundle, "app", options={"name": 5})  # type: ignore[dict-item]
    with pytest.raises(BadInput, match="no option"):
        edgekit.package(bundle, "zip", options={"name": "x"})


def test_the_form_of_another_target_says_which(bundle: Path) -> None:
    with pytest.raises(Unsupported, match="made for toy-board") as caught:
        edgekit.package(bundle, "arduino")
    assert "edgekit export toy-speller --target cortex-m3" in caught.value.hint


def test_the_command_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", str(bundle), "--as", "app", "-o", "name=5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    place = Path(told["file"])
    assert (place / "src" / "name.txt").read_text() == "5"
    assert told["size"] == sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert run(["package", str(bundle), "--as", "app", "-o", "name"]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err
