"""Samples of the user's own in place of edgekit's: ``--evidence DIR`` judges, and calibrates."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.cli.command import run
from edgekit.core import Exporter, Recipe, Sample
from edgekit.errors import BadInput, Unsupported
from edgekit.gate.evidence import digests
from edgekit.tasks import audio_classification
from edgekit.tasks.common.folders import plain_samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_model.write_data(tmp_path / "own", count=48, truths="absent")


def drawn(folder: Path) -> Path:
    """Four other samples."""
    rng = np.random.default_rng(3)
    folder.mkdir()
    for i in range(4):
        np.save(folder / f"{i}.npy", rng.standard_normal(12).astype(np.float32))
    (folder / "truths.json").write_text(json.dumps({f"{i}.npy": None for i in range(4)}))
    return folder


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> None:
    task = audio_classification.TASK
    assert task.agreement is not None
    plain = replace(
        task.agreement,
        answer=lambda prediction: prediction.output,
        same=lambda answers, reference: [a == b for a, b in zip(answers, reference, strict=True)],
        figures=None,
        nothing=lambda answer: False,
    )
    monkeypatch.setattr(audio_classification, "TASK", replace(task, agreement=plain, evidence=None))


def test_half_calibrates_and_half_is_judged(toy: Any, tmp_path: Path, folder: Path) -> None:
    made = toy.export(tmp_path / "b", evidence=folder)
    kept = made.manifest.evidence
    assert kept.name.startswith("own ") and kept.licence == "the user's own"
    assert (kept.calibrated, kept.agreement.of, kept.agreement.sources) == (24, 24, 24)
    assert kept.agreement.verdict == "pass"
    assert toy.export(tmp_path / "b", evidence=folder).reused
    assert not toy.export(tmp_path / "b").reused


def test_with_calibration_all_are_judged(toy: Any, tmp_path: Path, folder: Path) -> None:
    kept = toy.export(tmp_path / "b", evidence=folder, calibration=drawn(tmp_path / "more")).manifest.evidence
    assert (kept.calibrated, kept.agreement.of) == (0, 48)


def test_verify_repeats_it_with_the_folder_alone(toy: Any, tmp_path: Path, folder: Path) -> None:
    made = toy.export(tmp_path / "b", evidence=folder)
    assert "--evidence DIR" in edgekit.verify(made.path)["agreement"].reason
    assert edgekit.verify(made.path, evidence=folder)["agreement"] == made.manifest.evidence.agreement
    np.save(folder / "3.npy", np.ones(12, np.float32))
    np.save(folder / "40.npy", np.ones(12, np.float32))
    assert edgekit.verify(made.path, evidence=folder)["agreement"].verdict == "not measured"
    assert run(["verify", str(made.path), "--evidence", str(folder)]) == 0


def test_labels_beside_them_are_not_used(toy: Any, tmp_path: Path) -> None:
    seen: list[str] = []
    made = toy.export(tmp_path / "b", evidence=toy.data, progress=lambda what, done, total: seen.append(what))
    assert "labels were beside them and are not used" in made.manifest.evidence.origin
    assert any("labels beside the samples of --evidence are not used" in what for what in seen)
    assert made.manifest.gate.verdict == "not measured"


def test_one_sample_is_refused(toy: Any, tmp_path: Path) -> None:
    one = toy_model.write_data(tmp_path / "one", count=1, truths="absent")
    with pytest.raises(BadInput, match="holds 1 sample "):
        toy.export(tmp_path / "b", evidence=one)


def test_samples_of_another_kind_are_refused(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "truths.json").write_text(json.dumps({"a.npy": None, "b.npy": None}))
    for name in "ab":
        (tmp_path / "odd" / f"{name}.npy").write_text("no array")
    with pytest.raises(BadInput, match="holds no signal"):
        toy.export(tmp_path / "b", evidence=tmp_path / "odd")
    with pytest.raises(BadInput, match="there is no folder"):
        toy.export(tmp_path / "b", evidence=tmp_path / "absent")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("first", "second"), [("evidence", "data"), ("evidence", "calibration"), ("calibration", "data")]
)
def test_shared_samples_are_refused_and_named(toy: Any, tmp_path: Path, folder: Path, first: str, second: str) -> None:
    other = drawn(tmp_path / "other")
    shutil.copy(folder / "7.npy", other / "2.npy")
    with pytest.raises(BadInput, match=rf"--{first} and --{second} share samples: 2\.npy"):
        toy.export(tmp_path / "b", **{first: folder, second: other})


def test_a_larger_set_that_does_not_exist_is_told(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no larger set"):
        toy.export(tmp_path / "b", evidence="edgekit:full")


def test_the_default_without_real_samples_needs_none(
    toy: Any, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noise(where: Path) -> Any:
        return [replace(sample, truth=None) for sample in toy_model.MODEL.task.samples(folder)]  # type: ignore[misc]

    evidence = edgekit.core.Evidence("noise", "MIT", "drawn", noise, synthetic=True)
    monkeypatch.setattr(toy_model, "MODEL", toy_model.changed(evidence=evidence))
    monkeypatch.setattr(Exporter, "recipe_without_samples", lambda self, model, recipe: Recipe(recipe.runtime, "fp32"))
    made = toy.export(tmp_path / "a", precision=None)
    assert (made.manifest.recipe.precision, made.manifest.evidence.agreement.verdict) == ("fp32", "not measured")
    assert toy.export(tmp_path / "b", precision="int8").manifest.recipe.precision == "int8"
    assert toy.export(tmp_path / "c", precision=None, evidence=folder).manifest.recipe.precision == "int8"
    assert toy.export(tmp_path / "d", precision=None, calibration=folder).manifest.recipe.precision == "int8"


def test_samples_of_one_name_in_two_folders_are_two(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak is found though a namesake stands beside it, and verify finds all of them again."""
    twins = tmp_path / "twins"
    for number, name in enumerate(("a", "b")):
        (twins / name).mkdir(parents=True)
        for file in range(12):
            np.save(twins / name / f"{file}.npy", np.sin(np.arange(50) * (0.1 + 0.3 * (2 * file + number))))

    def samples(place: Path) -> list[Sample]:
        return plain_samples(place.rglob("*.npy"), place, "nothing")

    monkeypatch.setattr(
        toy_model, "MODEL", replace(toy_model.MODEL, task=replace(toy_model.MODEL.task, samples=samples))
    )
    named = samples(twins)
    assert len({sample.name for sample in named}) == 24
    assert len(digests([replace(sample, name="0.npy") for sample in named])) == 24
    made = toy.export(tmp_path / "b", evidence=twins)
    assert len(made.manifest.evidence.samples) == 12
    assert edgekit.verify(made.path, evidence=twins)["agreement"] == made.manifest.evidence.agreement
    leaked = tmp_path / "leaked"
    leaked.mkdir()
    shutil.copyfile(twins / "a" / "0.npy", leaked / "0.npy")
    shutil.copyfile(twins / "b" / "3.npy", leaked / "1.npy")
    with pytest.raises(BadInput, match="share samples"):
        toy.export(tmp_path / "c", evidence=twins, calibration=leaked)
