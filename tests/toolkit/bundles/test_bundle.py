"""Bundles on disk: one that is not exactly what its manifest says is refused, and the message names the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model
from helpers.toys.toy_model import forge, names

import edgekit
from edgekit.bundles import staging
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import decode
from edgekit.bundles.staging import replaceable
from edgekit.errors import BadInput, ParityFailed, UnknownName, boundary

NAMES = [
    *("README.md", "frontend.toy", "golden/input.txt", "golden/reference.npz", "labels.txt", "licences/weights.txt"),
    *("network.toy", "only-int8/note.txt", "sbom.cdx.json", "manifest.json"),
]


def test_a_whole_bundle_is_proven_and_predicts(bundle: Path, signal: str) -> None:
    assert names(bundle) == set(NAMES)
    proof = edgekit.verify(bundle)
    assert set(proof["parity"]) == {"frontend", "network"}
    assert 0 < proof["parity"]["network"] < 0.1
    assert proof["gate"].verdict == "not measured"
    assert edgekit.load(bundle).predict(signal).output in ("no", "yes", "maybe")


def test_a_bundle_of_schema_2_opens_runs_verifies_and_packages(toy: Any, bundle: Path, signal: str, do: Any) -> None:
    answer = edgekit.load(bundle).predict(signal).output
    forge(bundle, lambda raw: raw.update(schema=2))
    raw = json.loads((bundle / "manifest.json").read_bytes())
    assert "evidence" not in raw and "basis" not in raw["gate"]
    assert open_bundle(bundle).manifest.schema == 2
    assert edgekit.load(bundle).predict(signal).output == answer
    assert edgekit.verify(bundle, data=toy.data)["gate"].verdict == "above the bar"
    assert edgekit.package(bundle, "zip").is_file()
    assert do("bench", bundle, "--processes=1", "--loops=1")[0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_byte_in_any_file_is_refused(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    for at in {0, len(data) // 3, len(data) // 2, len(data) - 1}:
        broken = data.copy()
        broken[at] ^= 4
        (bundle / name).write_bytes(broken)
        for use in (edgekit.verify, edgekit.load):
            with pytest.raises(BadInput) as caught:
                use(bundle)
            assert name in caught.value.message or name == "manifest.json"
    (bundle / name).write_bytes(data)
    edgekit.verify(bundle)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_an_emptied_and_a_longer_file_are_refused(bundle: Path, name: str) -> None:
    data = (bundle / name).read_bytes()
    for broken in (b"", data[:-1], data + b"\n"):
        (bundle / name).write_bytes(broken)
        with pytest.raises(BadInput, match=name if name != "manifest.json" else "manifest"):
            edgekit.load(bundle)
    (bundle / name).unlink()
    with pytest.raises(BadInput, match=name):
        edgekit.load(bundle)


@pytest.mark.parametrize("name", NAMES)
def test_a_link_or_a_pipe_in_place_of_a_file_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    (bundle / name).rename(tmp_path / "moved")
    (bundle / name).symlink_to(tmp_path / "moved")
    with pytest.raises(BadInput, match=name):
        edgekit.load(bundle)
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(BadInput, match=name):
        edgekit.load(bundle)


def test_a_pipe_that_is_said_to_be_empty_is_not_waited_for(bundle: Path) -> None:
    (bundle / "labels.txt").unlink()
    os.mkfifo(bundle / "labels.txt")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    forge(bundle, lambda raw: raw["files"].update({"labels.txt": {"sha256": empty, "size": 0}}))
    with pytest.raises(BadInput, match=r"labels\.txt"):
        open_bundle(bundle)


def test_a_linked_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "golden").rename(tmp_path / "golden")
    (bundle / "golden").symlink_to(tmp_path / "golden")
    with pytest.raises(BadInput, match="golden"):
        edgekit.load(bundle)


@pytest.mark.parametrize("name", ["notes.txt", "golden/more", ".hidden", "manifest.json.bak", "[bold]x"])
def test_an_additional_file_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"")
    with pytest.raises(BadInput) as caught:
        edgekit.verify(bundle)
    assert name in caught.value.message and "Remove it: rm " in caught.value.hint


def test_what_is_no_bundle_is_refused(toy: Any, tmp_path: Path, bundle: Path) -> None:
    for name in ("file", "packed.zip"):
        (tmp_path / name).write_bytes(b"")
    for path, hint in (
        (tmp_path / "absent", "nothing of that name"),
        (tmp_path / "file", "edgekit export"),
        (tmp_path, "edgekit export"),
        (tmp_path / "packed.zip", "python -m zipfile -e"),
        (bundle / "golden", "edgekit export"),
        (bundle / "manifest.json", f"Name its folder: {bundle}"),
    ):
        with pytest.raises(BadInput, match=r"is not a bundle: it has no manifest\.json") as caught:
            edgekit.verify(path)
        assert hint in caught.value.hint


def test_a_huge_manifest_is_not_read(bundle: Path) -> None:
    with (bundle / "manifest.json").open("r+b") as file:
        file.truncate(2**34)  # sparse
    with pytest.raises(BadInput, match="too large"):
        edgekit.load(bundle)


@pytest.mark.parametrize(
    "path, word", [(("model", "name"), "model"), (("recipe", "runtime"), "runtime")], ids=["model", "runtime"]
)
def test_a_maker_that_is_not_installed_is_named(bundle: Path, path: tuple[str, str], word: str) -> None:
    def change(raw: dict[str, Any]) -> None:
        raw[path[0]][path[1]] = "../os"

    forge(bundle, change)
    for use in (edgekit.load, edgekit.verify):
        with pytest.raises(UnknownName, match=rf"bundle needs the {word} '../os', which is not installed") as caught:
            use(bundle)
        assert f"edgekit.{word}s" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["facts"].clear(),
        lambda raw: raw["parts"].pop(),
        lambda raw: raw["parts"].clear(),
    ],
    ids=["no facts", "a part less", "no parts"],
)
def test_a_bundle_that_its_model_cannot_use_is_bad_input(bundle: Path, change: Callable[[Any], None]) -> None:
    forge(bundle, change)
    with pytest.raises(BadInput, match="cannot be used by the model toy-speller"):
        edgekit.load(bundle)


def test_a_part_without_a_hash_is_refused(bundle: Path) -> None:
    forge(bundle, lambda raw: raw["parts"][0].update(file="absent"))
    with pytest.raises(BadInput, match="frontend"):
        edgekit.load(bundle)


def test_other_tensors_than_declared_are_a_parity_failure(bundle: Path) -> None:
    forge(bundle, lambda raw: raw["parts"][1]["inputs"][0].update(shape=[1, 65]))
    with pytest.raises(ParityFailed, match="inputs"):
        edgekit.verify(bundle)


def test_other_weights_under_a_forged_signature_are_a_parity_failure(toy: Any, bundle: Path, tmp_path: Path) -> None:
    other = toy.export(tmp_path / "other", weights=str(toy_model.write_weights(tmp_path / "weights", seed=9)))
    shutil.copy(other.path / "network.toy", bundle / "network.toy")
    forge(bundle)
    edgekit.load(bundle)
    with pytest.raises(ParityFailed, match=r"'network' is \d"):
        edgekit.verify(bundle)


# -------------------------------------------------------------------------------------------- where a bundle may be put


def test_only_bundles_and_empty_folders_are_replaced(toy: Any, tmp_path: Path) -> None:
    project = tmp_path / "a web project"
    project.mkdir()
    (project / "manifest.json").write_text('{"name": "an extension", "manifest_version": 3}')
    (tmp_path / "file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("precious")
    for place in (project, tmp_path / "file", tmp_path / "full", tmp_path / "file" / "below"):
        with pytest.raises(BadInput):
            toy.export(place)
    assert (project / "manifest.json").is_file() and (tmp_path / "full" / "precious").is_file()
    assert (tmp_path / "file").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    edgekit.verify(toy.export(tmp_path / "empty").path)
    edgekit.verify(toy.export(tmp_path / "new" / "deep").path)


def test_a_bundle_of_another_model_or_target_is_replaced_only_by_force(
    toy: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch, do: Any
) -> None:
    before = (bundle / "manifest.json").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(BadInput, match="holds a bundle of toy-speller for toy-board"):
        patch.setattr("edgekit.pipeline.resolving.fetch", None)  # before anything is fetched
        edgekit.export("whisper-base", "laptop", out=bundle)
    code, _, err = do("export", "toy-speller", "--target=laptop", f"--weights={toy.weights}", f"--out={bundle}")
    assert code == 2 and f"edgekit export toy-speller --target laptop --out {bundle} --force" in err
    assert (bundle / "manifest.json").read_bytes() == before
    toy.export(bundle, precision="fp32")  # of the same model and target: an earlier one of it
    code, _, err = do(
        "export",
        "toy-speller",
        "--target=laptop",
        "--precision=fp16",
        f"--weights={toy.weights}",
        f"--out={bundle}",
        "--force",
    )
    assert code == 0, err
    assert decode((bundle / "manifest.json").read_bytes()).target.name == "laptop"


def test_a_place_that_is_taken_is_refused_before_anything_is_fetched(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.pipeline.resolving.fetch", None)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(BadInput, match="is not a bundle; it will not be replaced"):
        toy.export(tmp_path / "file", weights=None)


def test_a_damaged_bundle_is_replaced(toy: Any, bundle: Path) -> None:
    data = (bundle / "manifest.json").read_bytes()
    (bundle / "manifest.json").write_bytes(data[:500])
    assert not toy.export(bundle).reused
    edgekit.verify(bundle)


def test_a_link_to_a_bundle_stays_a_link(toy: Any, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle, target_is_directory=True)
    toy.export(tmp_path / "link", precision="fp32")
    assert (tmp_path / "link").is_symlink()
    assert decode((bundle / "manifest.json").read_bytes()).recipe.precision == "fp32"
    assert not list(tmp_path.glob(".*"))


def test_a_link_in_a_circle_is_bad_input(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(BadInput):
        toy.export(tmp_path / "circle")


@pytest.mark.parametrize("name", ["[x]*?", "a\nb", "ü", "-o", "x" * 200])
def test_odd_names_of_places(toy: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: 999999999)
        left = tmp_path / f".{name}.partial-{staging.owner()}-abc"
    left.mkdir()
    edgekit.verify(toy.export(tmp_path / name).path)
    assert not left.exists()
    assert not list(tmp_path.glob(".*"))


def test_a_name_that_is_too_long_is_bad_input(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too long"):
        toy.export(tmp_path / ("x" * 300))


def test_replaceable_says_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert replaceable(tmp_path / "link") == (tmp_path / "there").resolve()


@pytest.mark.parametrize("number", [13, 30, 1])
def test_no_permission_is_bad_input(number: int) -> None:
    with pytest.raises(BadInput, match="permission"), boundary():
        raise OSError(number, os.strerror(number), "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_bad_input(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(BadInput, match="permission"):
        toy.export(tmp_path / "locked" / "bundle")
