"""``model.pt2`` as a source: its axes get the user's bounds, noise stands in for samples, and it exports."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.toys import toy_program

import edgekit
from edgekit.core import Axis, ImportOptions
from edgekit.errors import BadInput
from edgekit.importers.resolved import inspect, model_of
from edgekit.runtimes.resolved import recipe_of


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    toy_program.save(tmp_path / "My-Toy.pt2")
    return tmp_path / "My-Toy.pt2"


def test_it_is_declared_with_noise_that_respects_its_tables(saved: Path) -> None:
    model = model_of(str(saved))
    (part,) = model.network.parts
    assert (model.name, model.identity.importer) == ("my-toy", "torch-program")
    assert part.axes == {"tokens_1": Axis(2, 50, 7)}
    evidence = model.task.evidence
    assert evidence is not None
    assert evidence.synthetic
    assert len(evidence.samples(Path())) == 16
    (work,) = model.costs.work(recipe_of("onnxruntime", "int8")) if model.costs.work else ()
    assert (work.layers, work.weights) == (4, 8 * 3 * 9 + 2 * 32 + 10 * 8)
    assert work.macs == 8 * 27 * 14 * 14 + 2 * 32


def test_the_users_name_and_bounds_of_an_axis_are_kept(saved: Path) -> None:
    (part,) = model_of(str(saved), ImportOptions(axes={"tokens": (1, 20)})).network.parts
    assert part.axes == {"tokens": Axis(1, 20, 7)}
    (part,) = model_of(str(saved), ImportOptions(axes={"tokens_1": (9, 9)})).network.parts
    assert (part.axes, part.inputs[1].shape) == ({}, (1, 9))


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"words": (1, 9)}, "there is no dynamic axis 'words'"),
        ({"image_2": (1, 9)}, r"no dynamic axis 'image_2': image is float32 \[1, 3, 16, 16\]"),
        ({"tokens": (1, 99)}, r"cannot be 1\.\.99: the graph takes 1\.\.50"),
    ],
)
def test_an_axis_that_is_not_there_or_not_so_long_is_one_error(
    axes: dict[str, tuple[int, int]], words: str, saved: Path
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        model_of(str(saved), ImportOptions(axes=axes))
    assert "tokens" in caught.value.hint


def test_a_file_that_is_no_program_is_one_error(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pt2").write_bytes(b"no zip")
    with pytest.raises(BadInput, match=r"x\.pt2 is not a sound \.pt2"):
        inspect(str(tmp_path / "x.pt2"), ImportOptions(), lambda what, done, total: None)


def test_it_exports_and_noise_never_passes(saved: Path, tmp_path: Path) -> None:
    bundle = edgekit.export(str(saved), precision="fp16", runtime="onnxruntime", out=tmp_path / "out")
    manifest = bundle.manifest
    assert manifest.parts[0].parity < 0.01
    assert manifest.evidence is not None
    assert manifest.evidence.agreement.verdict == "not measured"
    again = edgekit.export(str(saved), precision="fp16", runtime="onnxruntime", out=tmp_path / "out")
    assert again.reused
