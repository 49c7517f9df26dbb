"""What an exporter wrote serves another target and other data; whatever decides the files makes them anew."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.toys import toy_model

from edgekit.bundles import staging
from edgekit.errors import GateFailed
from edgekit.pipeline import artifacts


@pytest.fixture(autouse=True)
def works(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precision of each time that the exporter worked; its files are kept however quick it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "WORTH", 0.0)
    done: list[str] = []
    own = toy_model.ToyExporter.export

    def export(self: Any, model: Any, checkpoint: Any, recipe: Any, *others: Any) -> Any:
        done.append(recipe.precision)
        return own(self, model, checkpoint, recipe, *others)

    monkeypatch.setattr(toy_model.ToyExporter, "export", export)
    return done


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "artifacts").glob("*/artifacts.json"))


def test_another_target_and_other_data_get_the_same_files(toy: Any, tmp_path: Path, works: list[str]) -> None:
    first = toy.export(tmp_path / "a")
    second = toy.export(tmp_path / "b", target="laptop", runtime="toy", precision="int8", data=toy.data)
    assert works == ["int8"]
    assert not second.reused
    for one, two in zip(first.manifest.parts, second.manifest.parts, strict=True):
        assert one == two
        assert (first.path / one.file).read_bytes() == (second.path / two.file).read_bytes()
    assert first.manifest.gate.verdict == "not measured"
    assert second.manifest.gate.verdict == "pass"


def test_accuracy_is_measured_each_time(toy: Any, tmp_path: Path, works: list[str]) -> None:
    toy.export(tmp_path / "a")
    data = toy_model.write_data(tmp_path / "wrong")
    truths = json.loads((data / "truths.json").read_text())
    labels = toy_model.LABELS
    wrong = {name: labels[labels.index(label) - 1] for name, label in truths.items()}
    (data / "truths.json").write_text(json.dumps(wrong))
    with pytest.raises(GateFailed):
        toy.export(tmp_path / "b", data=data)
    assert works == ["int8"]


@pytest.mark.parametrize("what", ["weights", "precision", "calibration", "version"])
def test_whatever_decides_the_files_makes_them_anew(
    toy: Any, tmp_path: Path, works: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.export(tmp_path / "a")
    options: dict[str, Any] = {}
    if what == "weights":
        options = {"weights": str(toy_model.write_weights(tmp_path / "w", seed=6))}
    elif what == "calibration":
        options = {"calibration": toy.data}
    elif what == "precision":
        options = {"precision": "fp32"}
    else:
        monkeypatch.setattr(toy_model.ToyExporter, "distributions", ("numpy",))
    toy.export(tmp_path / "b", **options)
    assert len(works) == 2
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["file", "list", "missing", "escaping"])
def test_damaged_files_are_made_anew(toy: Any, tmp_path: Path, works: list[str], damage: str) -> None:
    first = toy.export(tmp_path / "a")
    [description] = kept(tmp_path)
    file = description.parent / first.manifest.parts[0].file
    if damage == "file":
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
    elif damage == "missing":
        file.unlink()
    elif damage == "list":
        description.write_text("{")
    else:
        outside = tmp_path / "outside"
        file.replace(outside)
        text = description.read_text()
        description.write_text(text.replace(f'"{file.name}": "', '"../../../outside": "'))
    second = toy.export(tmp_path / "b")
    assert works == ["int8", "int8"]
    assert (first.path / file.name).read_bytes() == (second.path / file.name).read_bytes()
    toy.export(tmp_path / "c")
    assert len(works) == 2, "what was damaged is in the cache again"


def test_files_that_vanish_while_they_are_copied_are_made_anew(
    toy: Any, tmp_path: Path, works: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.export(tmp_path / "a")
    copy = shutil.copyfile

    def vanishing(source: Path, target: Path) -> Any:
        if Path(source).parents[1].name == "artifacts":  # another process needed room
            shutil.rmtree(Path(source).parent)
        return copy(source, target)

    monkeypatch.setattr("shutil.copyfile", vanishing)
    toy.export(tmp_path / "b")
    assert works == ["int8", "int8"]


def test_what_another_process_puts_into_a_file_meanwhile_is_not_taken(
    toy: Any, tmp_path: Path, works: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.export(tmp_path / "a")
    copy = shutil.copyfile

    def spoiling(source: Path, target: Path) -> None:
        copy(source, target)
        if Path(source).parents[1].name == "artifacts":
            Path(target).write_bytes(b"half")

    monkeypatch.setattr("shutil.copyfile", spoiling)
    toy.export(tmp_path / "b")
    assert works == ["int8", "int8"]


def test_what_killed_writers_left_goes_and_what_others_write_stays(
    toy: Any, tmp_path: Path, works: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "artifacts"
    living = cache / f".{'1' * 32}.partial-{staging.owner()}-abc"
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: 999999999)
        killed = cache / f".{'0' * 32}.partial-{staging.owner()}-abc"
    halfway = cache / ("2" * 32)  # its removal was interrupted
    for folder in (killed, living, halfway):
        folder.mkdir(parents=True)
        (folder / "network").write_bytes(bytes(1 << 20))
    monkeypatch.setattr(artifacts, "MOST", (1 << 20) + 500_000)
    toy.export(tmp_path / "a")
    assert [folder.is_dir() for folder in (killed, living, halfway)] == [False, True, False]
    assert len(kept(tmp_path)) == len(works) == 1


def test_what_was_refused_is_not_kept(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_SPOIL", json.dumps({"int8": "noise"}))
    made = toy.export(tmp_path / "a")
    assert made.manifest.recipe.precision == "fp32"
    [only] = kept(tmp_path)
    assert json.loads(only.read_text())["artifacts"][0]["census"] == made.manifest.parts[0].census


def test_quick_exports_are_not_kept(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "WORTH", 1000.0)
    toy.export(tmp_path / "a")
    assert not kept(tmp_path)


def test_what_was_used_least_recently_goes_first(
    toy: Any, tmp_path: Path, works: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.export(tmp_path / "a", precision="fp32")
    [older] = kept(tmp_path)
    toy.export(tmp_path / "b", precision="int4")
    newer = next(path for path in kept(tmp_path) if path != older)
    os.utime(older, (1, 1))
    os.utime(newer, (2, 2))
    toy.export(tmp_path / "c", precision="fp32")  # used now
    sizes = [sum(file.stat().st_size for file in path.parent.iterdir()) for path in (older, newer)]
    monkeypatch.setattr(artifacts, "MOST", sum(sizes))
    toy.export(tmp_path / "d")
    assert older in kept(tmp_path)
    assert newer not in kept(tmp_path)
    assert works == ["fp32", "int4", "int8"]


@pytest.mark.parametrize("why", ["too large", "full disk", "no folder"])
def test_a_cache_that_takes_nothing_does_not_matter(
    toy: Any, tmp_path: Path, works: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "too large":
        monkeypatch.setattr(artifacts, "MOST", 10)
    elif why == "full disk":
        monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10))
    else:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "artifacts").write_text("a file")
    toy.export(tmp_path / "a")
    toy.export(tmp_path / "b")
    assert works == ["int8", "int8"]
    assert not kept(tmp_path)
