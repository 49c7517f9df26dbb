"""Synthetic inputs: noise in the form of the real one, the same every time, labelled wherever its figures stand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.pages.html_reports import make
from helpers.toys import toy_model
from PIL import Image

from edgekit.bench.processes import child
from edgekit.bench.processes.answers import Answer, failure
from edgekit.benchmarking import synthetic
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput, Unsupported
from edgekit.reports import cells
from edgekit.reports.cells import Cell, Matrix
from edgekit.reports.comparing import reports
from edgekit.reports.page import document

NOISE = [{"name": "noise-like-a.wav", "sha256": "01", "synthetic": "noise, seed 0"}]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_sound_has_the_same_length_rate_and_channels(cache: Path) -> None:
    soundfile.write(cache / "a.flac", np.zeros((1234, 2)), 22050)
    made, rate = soundfile.read(synthetic.like(cache / "a.flac"))
    assert made.shape == (1234, 2) and rate == 22050
    assert 0.08 < made.std() < 0.12 and abs(np.corrcoef(made.T)[0, 1]) < 0.1


def test_a_picture_has_the_same_size(cache: Path) -> None:
    Image.new("RGBA", (31, 17)).save(cache / "a.png")
    with Image.open(synthetic.like(cache / "a.png")) as made:
        assert made.size == (31, 17) and made.mode == "RGB"
        assert np.asarray(made).std() > 60


@pytest.mark.parametrize("values", [np.linspace(-1, 3, 50, dtype=np.float32), np.arange(200, dtype=np.uint8)])
def test_an_array_has_the_same_shape_type_and_range(cache: Path, values: Any) -> None:
    np.save(cache / "a.npy", values)
    made = np.load(synthetic.like(cache / "a.npy"))
    assert made.shape == values.shape and made.dtype == values.dtype and made.std() > 0.5 * values.std()
    if values.dtype.kind == "u":
        assert values.min() <= made.min() and made.max() <= values.max()


def test_a_text_keeps_its_form(cache: Path) -> None:
    (cache / "a.txt").write_text("Say 12.5 words,\nplease.")
    made = synthetic.like(cache / "a.txt").read_text()
    assert len(made) == 23 and made[3] == " " and made[6] == "." and made[15] == "\n" and made[4:6].isdigit()
    assert "words" not in made


def test_the_same_input_gives_the_same_noise_and_its_report_says_so(cache: Path) -> None:
    np.save(cache / "a.npy", np.ones(3))
    one = synthetic.like(cache / "a.npy")
    content = one.read_bytes()
    one.unlink()
    assert synthetic.like(cache / "a.npy") == one and one.read_bytes() == content
    assert synthetic.describe_input(one)["synthetic"] == "noise, seed 0"
    assert set(synthetic.describe_input(cache / "a.npy")) == {"name", "sha256"}


@pytest.mark.parametrize(("name", "content", "error"), [("a.bin", b"x", Unsupported), ("a.wav", b"no sound", BadInput)])
def test_what_has_no_noise_is_one_typed_error(cache: Path, name: str, content: bytes, error: type[Exception]) -> None:
    (cache / name).write_bytes(content)
    with pytest.raises(error, match=name):
        synthetic.like(cache / name)


def noisy(**changes: Any) -> Report:
    return make(inputs=NOISE, **changes)


def test_every_table_and_page_labels_them() -> None:
    cell = Cell("m", "t", "e", "p", 1, "host", "measured", report=noisy())
    from helpers.pages.console import shown

    from edgekit.reports.summary import table

    assert "[synthetic inputs]" in shown(table(noisy()))
    assert "host, synthetic inputs" in shown(cells.table(Matrix(2, {}, (cell,))))
    page = document.render([noisy(), make()])
    assert page.count('class="badge synthetic"') == 2
    assert page.count("<caption>Cells: ") == 2, "no column mixes noise with real inputs"
    assert "badge synthetic" not in document.render([make()]).partition("<main")[2]


def test_noise_is_not_compared_with_real_inputs() -> None:
    with pytest.raises(BadInput, match="only one of them was measured on synthetic inputs"):
        reports.compare_reports(make(), noisy())
    assert reports.incomparable(noisy(), noisy()) == []
    rows = reports.compare_reports(make(), noisy(), force=True)
    assert rows[0].verdict == "cannot tell"


def test_the_command_measures_noise_and_says_so(do_json: Any, do: Any, bundle: Path, toy: Any, tmp_path: Path) -> None:
    quick = ("--processes=1", "--loops=1", "--warmups=1", "--threads=1")
    code, found = do_json("bench", bundle, "--synthetic", *quick, "--out", tmp_path / "noise.json")
    assert code == 0 and found["inputs"][0]["synthetic"] and found["warnings"][0].startswith("SYNTHETIC INPUTS")
    code, real = do_json("bench", bundle, *quick, "--out", tmp_path / "real.json")
    assert code == 0 and "synthetic" not in real["inputs"][0]
    code, _, told = do("compare", tmp_path / "real.json", tmp_path / "noise.json")
    assert code == 2 and "synthetic" in told
    code, _, told = do("bench", bundle, "--synthetic", "--input", toy.data / "0.npy", *quick)
    assert code == 2 and "either synthetic or files" in told


def test_two_bundles_in_turns_get_the_same_noise(bundle: Path) -> None:
    from edgekit.benchmarking.benchmark import versus
    from edgekit.benchmarking.hosted import Limits

    base, new = versus([bundle, bundle], processes=1, synthetic=True, limits=Limits(0, 1), threads=1)
    assert base.inputs == new.inputs and base.inputs[0]["synthetic"]
    assert isinstance(base.measurements[0], Measurement)
    assert reports.incomparable(base, replace(new)) == []


def test_bundles_of_different_tasks_are_not_measured_in_turns(
    do: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    toy_model.forge(other, lambda raw: raw["model"].update(task="image-classification"))
    monkeypatch.setattr(child, "once", lambda setup: pytest.fail("it was measured"))
    code, _, told = do("bench", bundle, "--vs", other)
    assert code == 2 and "bundles of different tasks" in told and "other is for image-classification" in told


def test_bundles_with_different_inputs_are_not_measured_in_turns(tmp_path: Path) -> None:
    from edgekit.benchmarking.benchmark import check_alike

    bundles: list[Any] = []
    for name in ("image", "sound"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "input.npz", **{name: np.zeros(3, np.float32)})
        facts = SimpleNamespace(model=SimpleNamespace(task="tensors"), golden=SimpleNamespace(input="input.npz"))
        bundles.append(SimpleNamespace(path=tmp_path / name, manifest=facts))
    check_alike([bundles[0], bundles[0]])
    with pytest.raises(BadInput, match="image takes image and sound takes sound"):
        check_alike(bundles)


def test_turns_end_with_the_first_process_that_fails(
    do: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def once(setup: Any) -> Answer:
        asked.append(setup.bundle)
        return failure("failed", "no such signal", "", "BadInput")

    monkeypatch.setattr(child, "once", once)
    code, _, told = do("bench", bundle, "--vs", shutil.copytree(bundle, tmp_path / "other"))
    assert code == 2 and "no such signal" in told and len(asked) == 1
