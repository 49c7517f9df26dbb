"""Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Feeds, Predictor, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.gate.agreement import compare
from edgekit.registry import find
from edgekit.tasks.tensors.arrays import cosines, determination, errors, sample_outputs, samples

TASK = find("tasks", "tensors")


class Scale(Runner):
    """Its output is its input times a factor."""

    def __init__(self, source: str, result: str, factor: float) -> None:
        self.inputs = (TensorSpec(source, "float32", (1, "n")),)
        self.outputs = (TensorSpec(result, "float32", (1, "n")),)
        self._factor = np.float32(factor)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {self.outputs[0].name: feeds[self.inputs[0].name] * self._factor}


def chain(parts: Mapping[str, Runner]) -> Predictor:
    assert TASK.predictor is not None
    return TASK.predictor(parts, Path(), {})


TWO = {"a": Scale("x", "y", 2), "b": Scale("y", "z", 3)}


def test_parts_feed_one_another(tmp_path: Path) -> None:
    prediction = chain(TWO).predict({"x": np.ones((1, 7))}, out=tmp_path / "made" / "out.npz")
    assert prediction.output == "z float32 1 x 7"
    assert prediction.details["lines"] == ["z float32 1 x 7: 6 6 6 6 6 ..."]
    with np.load(tmp_path / "made" / "out.npz") as arrays:
        assert (arrays["z"] == 6).all() and arrays.files == ["z"]


def test_a_single_input_needs_no_name_and_a_file_has_names(tmp_path: Path) -> None:
    assert chain(TWO).predict(np.ones((1, 2), np.float32)).score["z"].tolist() == [[6, 6]]
    np.savez(tmp_path / "a.npz", x=np.ones((1, 2), np.float64))
    assert chain(TWO).predict(tmp_path / "a.npz").score["z"].dtype == np.float32


@pytest.mark.parametrize(
    "sample, why",
    [
        ({"y": np.ones((1, 2))}, "'x' is missing"),
        ({"x": np.ones((2, 2))}, "float64 2 x 2; it must be float32 1 x n|float32 2 x 2; it must be float32 1 x n"),
        ({"x": np.ones((1, 2), np.int32)}, "it must be float32"),
        ({"x": np.array([["a"]])}, "it must be float32"),
        ("absent.npz", "there is no .npz file"),
        (".", "is a folder"),
    ],
)
def test_inputs_that_do_not_fit(sample: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        chain(TWO).predict(sample)


def test_options_and_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no option 'loud'"):
        chain(TWO).predict(np.ones((1, 2)), loud=True)
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "objects.npy").rename(tmp_path / "objects.npz")
    np.savez(tmp_path / "pickled.npz", x=np.array([None]))
    for name in ("objects.npz", "pickled.npz"):
        with pytest.raises(BadInput, match=r"is not a sound \.npz file"):
            chain(TWO).predict(tmp_path / name)


def test_a_data_folder_has_truths(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(3), truth=np.array(2))
    np.savez(tmp_path / "b.npz", x=np.ones(3))
    first, second = TASK.samples(tmp_path, ())
    assert first.truth == 2 and set(first.input) == {"x"} and second.truth is None


def test_truths_of_several_outputs_have_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(3), truth_boxes=np.zeros(4), truth_class=np.array(2))
    (sample,) = samples(tmp_path)
    assert set(sample.input) == {"x"}
    assert set(sample.truth) == {"boxes", "class"}


def test_answers_are_near_or_not() -> None:
    rng = np.random.default_rng(0)
    wanted = sample_outputs({"a": rng.normal(size=(3, 5000)), "b": np.zeros(4)})
    assert len(wanted["a"]["values"]) <= 2048
    off = sample_outputs({"a": np.full((3, 5000), np.nan), "b": np.zeros(4)})
    small = {"a": {"shape": [3], "values": [1.0]}, "b": wanted["b"]}
    noisy = {"a": {**wanted["a"], "values": [value * 1.01 for value in wanted["a"]["values"]]}, "b": wanted["b"]}
    assert cosines([wanted, off, small, {}, noisy], [wanted] * 5) == pytest.approx([1, -1, -1, -1, 1])
    assert errors([wanted, noisy, {}], [wanted] * 3) == pytest.approx([0, 0.01, np.inf], abs=1e-4)
    assert TASK.agreement is not None
    assert TASK.agreement.same([wanted, off, noisy], [wanted] * 3) == [True, False, True]


def told(values: Any) -> list[Any]:
    """An answer of one output for each row of `values`."""
    return [sample_outputs({"y": np.array(row, np.float64)}) for row in values]


@pytest.mark.parametrize(
    ("level", "error", "verdict", "why"),
    [
        (0.0, 0.03, "pass", "required"),
        (30.0, 0.1, "pass", "times what"),
        (30.0, 0.8, "fail", "at least 0.75 required"),
        (1000.0, 0.8, "undecided", "--calibration DIR takes samples that differ more"),
    ],
)
def test_an_error_is_compared_with_what_answers_vary(level: float, error: float, verdict: str, why: str) -> None:
    """A cosine of 1 and an error of 0.1 % hide that answers of a high level are lost."""
    reference = np.random.default_rng(0).normal(level, 1, (32, 5))
    answers = reference + np.random.default_rng(1).normal(0, error, reference.shape)
    assert TASK.agreement is not None
    agreement = compare(TASK.agreement, told(answers), told(reference))
    assert (agreement.verdict, why in agreement.reason) == (verdict, verdict != "pass"), agreement.reason
    assert agreement.figures["coefficient of determination (R²)"] == pytest.approx(1 - error**2, abs=0.2)


def test_an_output_that_varies_decides_whatever_another_does() -> None:
    random = np.random.default_rng(0)
    level, still = random.normal(30, 1, (32, 5)), random.normal(1000, 1, (32, 5))
    reference = [sample_outputs({"level": a, "still": b}) for a, b in zip(level, still, strict=True)]
    far = [sample_outputs({"level": a, "still": b}) for a, b in zip(level + 0.8, still + 30.0, strict=True)]
    assert TASK.agreement is not None
    assert compare(TASK.agreement, far, reference).verdict == "fail"


def test_what_has_no_coefficient_of_determination() -> None:
    fractions = np.random.default_rng(0).normal(0, 1, (9, 4))
    far = told(fractions + 9)
    assert determination(far, told(fractions)) < -50
    assert determination(told(fractions), told(fractions)) == 1.0
    for wanted in (np.arange(9.0)[:, None], np.full((9, 3), 0.5), fractions * np.nan, fractions[:1]):
        assert determination(far[: len(wanted)], told(wanted)) == 1.0
    other_shape = [*told(fractions[:8]), *told([[1.5]])]
    assert determination(other_shape, other_shape) == 1.0


def test_a_sample_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=np.ones((1, 4), np.float32), count=np.arange(3))
    assert len(samples(tmp_path)) == 1
    np.savez(tmp_path / "1.npz", x=np.float32([[1, np.nan]]))
    with pytest.raises(BadInput, match=r"1\.npz: 'x' holds values that are not numbers"):
        samples(tmp_path)
