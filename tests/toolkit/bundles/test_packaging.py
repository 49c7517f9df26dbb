"""What leaves the machine: the bill of materials, the README, and the bundle as one file."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers.toys import toy_model
from helpers.toys.toy_model import names

import edgekit
from edgekit.bundles import readme, sbom
from edgekit.bundles.facts import public, source_facts
from edgekit.bundles.manifest import Manifest, decode
from edgekit.common import files
from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, Unsupported


def manifest_of(bundle: Path) -> Manifest:
    return decode((bundle / "manifest.json").read_bytes())


# ------------------------------------------------------------------------------------------------ bill of materials


def problems(data: bytes) -> list[str]:
    """What the official CycloneDX 1.6 schema has against a document."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode(), all_errors=True)
    return [str(error) for error in errors or ()]


def test_the_validator_can_say_no() -> None:
    assert problems(b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "surprise": 1}')


def test_a_bundles_bill_of_materials_is_valid_and_complete(bundle: Path) -> None:
    data = (bundle / "sbom.cdx.json").read_bytes()
    assert problems(data) == []
    told = json.loads(data)
    manifest = manifest_of(bundle)
    hashes = {item["name"]: item["hashes"][0]["content"] for item in told["components"]}
    inside = {name for name in hashes if not name.startswith("source/")}
    assert inside == names(bundle) - {"sbom.cdx.json", "manifest.json"}
    assert all(hashes[name] == manifest.files[name].sha256 for name in inside)
    assert {name for name in hashes if name.startswith("source/")} == {"source/model.safetensors", "source/config.json"}
    assert {tool["name"]: tool["version"] for tool in told["metadata"]["tools"]["components"]} == manifest.versions
    refs = [item["bom-ref"] for item in (*told["components"], told["metadata"]["component"])]
    assert len(set(refs)) == len(refs)


@pytest.mark.parametrize(
    "source",
    [
        {"uri": "pypi://some-package", "revision": "1.0.0", "pinned": True},
        {"uri": "path:my%20weights%20%5B1%5D.pt", "revision": ""},
        {"uri": "hf://me/it", "revision": "abc"},
        {"uri": "https://host/a file?x=1 2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("licence", ["MIT", "unknown", "cc-by-nc-4.0", "other: see the page"])
def test_it_is_valid_for_every_source(bundle: Path, source: dict[str, Any], licence: str) -> None:
    manifest = manifest_of(bundle)
    if source.get("pinned"):
        licence = "MIT"
    uri = public(source["uri"])
    changed = msgspec.structs.replace(
        manifest,
        source=msgspec.structs.replace(manifest.source, **{**source, "uri": uri}),
        licences={"weights": licence, "edgekit": "Apache-2.0"},
        versions={**manifest.versions, "torch": "2.13.0+cpu"},
    )
    data = sbom.render(changed, manifest.files)
    assert problems(data) == []
    assert data == sbom.render(changed, dict(reversed(manifest.files.items())))
    told = json.loads(data)
    assert not told["metadata"]["component"]["version"].startswith("-")
    purls = {tool["purl"] for tool in told["metadata"]["tools"]["components"]}
    assert purls >= {"pkg:pypi/torch@2.13.0%2Bcpu", f"pkg:pypi/edgekit-ml@{manifest.versions['edgekit']}"}


def test_addresses_lose_what_is_private(toy: Any, tmp_path: Path) -> None:
    assert public("https://me:secret@host:8/a/b.pt?token=secret#x") == "https://host:8/a/b.pt"
    assert public("hf://owner/repo") == "hf://owner/repo"
    from edgekit.formats.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(toy.weights)
    source = Source("https://me:secret@host/w?token=secret", "1", "MIT", (SourceFile("w", None, None, ()),))
    facts = source_facts(checkpoint, source)
    assert "secret" not in str(facts) and not facts.pinned
    assert str(toy.weights.parent) not in str(source_facts(checkpoint, None))


@pytest.mark.parametrize("task", ["audio-classification", "text-generation"])
def test_the_readme_shows_a_call_that_works(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    manifest = manifest_of(bundle)
    manifest = msgspec.structs.replace(manifest, model=msgspec.structs.replace(manifest.model, task=task))
    (code,) = re.findall(r"```python\n(.*?)```", readme.render(manifest), re.DOTALL)
    if task == "text-generation":
        assert 'predict("Why is the sky blue?")' in code
        return
    monkeypatch.chdir(bundle.rename(bundle.with_name("this-folder")).parent)
    exec(code, {})
    assert capsys.readouterr().out.strip() == manifest.golden.output


def test_the_readme_repeats_what_a_model_advises(bundle: Path) -> None:
    manifest = manifest_of(bundle)
    advised = msgspec.structs.replace(manifest, facts={**manifest.facts, "advice": ["Install a program first."]})
    lines = readme.render(advised).splitlines()
    assert set(lines) - set(readme.render(manifest).splitlines()) == {"Install a program first."}


def test_the_readme_tells_how_a_packed_part_is_opened(bundle: Path) -> None:
    manifest = manifest_of(bundle)
    assert "gunzip" not in readme.render(manifest)
    packed = msgspec.structs.replace(manifest.parts[0], file=f"{manifest.parts[0].file}.gz")
    changed = msgspec.structs.replace(manifest, parts=type(manifest.parts)([packed, *manifest.parts[1:]]))
    assert "Files that end in .gz are packed: edgekit opens them as they are" in readme.render(changed)


def test_the_readme_tells_what_the_manifest_says(bundle: Path) -> None:
    manifest = manifest_of(bundle)
    text = readme.render(manifest)
    assert text == (bundle / "README.md").read_text(encoding="utf-8")
    for fact in ("toy-speller for toy-board (toy, int8)", "not measured", "golden/input.txt", "`signal` float32"):
        assert fact in text
    many = [msgspec.structs.replace(manifest.parts[0].inputs[0], name=f"x{i}") for i in range(9)]
    parts = [msgspec.structs.replace(manifest.parts[0], inputs=many)]
    assert (
        "`x2` float32" in (text := readme.render(msgspec.structs.replace(manifest, parts=parts))) and "6 more" in text
    )


def test_no_path_of_this_machine_is_in_a_bundle(bundle: Path, toy: Any) -> None:
    for name in names(bundle):
        data = (bundle / name).read_bytes()
        assert str(toy.weights.parent).encode() not in data and os.uname().nodename.encode() not in data, name


# ---------------------------------------------------------------------------------------------------------- one file


def test_a_zip_is_stored_deterministic_and_a_bundle_again(bundle: Path, tmp_path: Path) -> None:
    place = edgekit.package(bundle, "zip")
    assert place == tmp_path.resolve() / "bundle.zip"
    other = shutil.copytree(bundle, tmp_path / "elsewhere")
    os.utime(other / "README.md", (1, 1))
    (other / "README.md").chmod(0o600)
    assert edgekit.package(other, "zip", out=tmp_path / "deep" / "x.zip").read_bytes() == place.read_bytes()
    with zipfile.ZipFile(place) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == sorted(names(bundle))
        archive.extractall(tmp_path / "out")
    edgekit.verify(tmp_path / "out")
    assert stat.S_IMODE(place.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_unknown_form_lists_the_known(bundle: Path) -> None:
    with pytest.raises(Unsupported, match="'msi'") as caught:
        edgekit.package(bundle, "msi")
    assert "zip" in caught.value.hint


def test_a_damaged_bundle_is_not_packaged(bundle: Path) -> None:
    (bundle / "README.md").write_text("x")
    with pytest.raises(BadInput, match=r"README\.md"):
        edgekit.package(bundle, "zip")
    assert not bundle.with_name("bundle.zip").exists()


def test_places_that_are_not_for_a_file(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "folder", tmp_path / "pipe"):
        with pytest.raises(BadInput, match="not a plain file"):
            edgekit.package(bundle, "zip", out=place)
    for place in (bundle / "x.zip", bundle / "golden" / "x.zip", bundle):
        with pytest.raises(BadInput, match="inside the bundle"):
            edgekit.package(bundle, "zip", out=place)
    edgekit.verify(bundle)


def test_the_bundle_may_be_where_one_stands(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    assert edgekit.package(".", "zip") == bundle.resolve().with_name("bundle.zip")
    monkeypatch.chdir(bundle / "golden")
    assert edgekit.package("..", "zip") == bundle.resolve().with_name("bundle.zip")


def test_writing_fails_and_the_earlier_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_whole(tmp_path / "deep" / "x", b"old")

    def fail(fresh: Path) -> None:
        fresh.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path / "deep" / "x") as fresh:
        fail(fresh)
    assert (tmp_path / "deep" / "x").read_bytes() == b"old"
    assert os.listdir(tmp_path / "deep") == ["x"]  # noqa: PTH208  the names, nothing else


def test_a_link_is_replaced_by_the_file_not_followed_to_a_device(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a plain file"):
        files.write_whole(Path(os.devnull), b"x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_pack_of_the_targets_own_is_part_of_the_bundle(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(folder: Path) -> None:
        (folder / "app").mkdir()
        for name in ("build.gradle", "manifest.json"):  # a manifest, but not the bundle's
            (folder / "app" / name).write_text("x")

    monkeypatch.setattr(toy_model, "TARGET", replace(toy_model.TARGET, pack=pack))
    made = toy.export(tmp_path / "b")
    assert {"app/build.gradle", "app/manifest.json"} <= set(made.manifest.files)
    edgekit.verify(made.path)
