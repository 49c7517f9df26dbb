"""Policies: observations in, actions out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core import Feeds, Predictor, Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.reinforcement_learning import NAME, distances, samples

TASK = find("tasks", "reinforcement-learning")


class Twice(Runner):
    """The first two of three numbers, doubled."""

    inputs = (TensorSpec("observation", "float32", (1, 3)),)
    outputs = (TensorSpec("action", "float32", (1, 2)),)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return {"action": 2 * feeds["observation"][:, :2]}


def policy() -> Predictor:
    assert TASK.predictor is not None
    return TASK.predictor({"network": Twice()}, Path(), {"limit": 1.0})


def test_actions_of_a_stretch_are_given_as_they_are_and_as_motors_take_them(tmp_path: Path) -> None:
    rows = np.array([[0.1, 0.2, 9], [2, -3, 9]], np.float32)
    answer = policy().predict(rows)
    assert answer.output == "+1.00 -1.00" and answer.units == {"steps": 2.0}
    assert np.allclose(answer.details["actions"], [[0.2, 0.4], [4, -6]])
    assert np.allclose(answer.details["applied"], [[0.2, 0.4], [1, -1]])
    assert answer.details["lines"] == ["step    1: +0.20 +0.40", "step    2: +1.00 -1.00"]
    np.savez(tmp_path / "a.npz", **{NAME: rows})
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",")
    for file in ("a.npz", "a.csv"):
        assert np.allclose(policy().predict(tmp_path / file).score, answer.score)
    assert policy().predict(rows[0]).output == "+0.20 +0.40"
    assert len(policy().predict(np.tile(rows[0], (30, 1))).details["lines"]) == 21


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (np.zeros(4), "has 4 numbers; this robot's has 3"),
        (np.zeros((2, 2)), "has 2 numbers; this robot's has 3"),
        (np.zeros((0, 3)), "rows of numbers"),
        (np.zeros((2, 2, 3)), "rows of numbers"),
        (np.array([0, np.nan, 0]), "not finite"),
        (np.array([0, np.inf, 0]), "not finite"),
        ("nowhere.npz", "there is no file"),
        ("nowhere.csv", "there is no file 'nowhere.csv'"),
        (".", "'.' is a folder"),
        (["a", "b", "c"], "no observations"),
    ],
)
def test_observations_of_another_kind_are_refused(sample: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        policy().predict(sample)
    with pytest.raises(BadInput, match="no option 'beams'"):
        policy().predict(np.zeros(3), beams=1)


def test_a_folder_of_observations(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", **{NAME: np.ones((4, 3))})
    (sample,) = samples(tmp_path)
    assert sample.input.shape == (4, 3) and sample.truth is None and sample.name == "b.npz"
    np.savez(tmp_path / "c.npz", x=np.ones(3), y=np.ones(3))
    with pytest.raises(BadInput, match="holds no array 'observations'"):
        samples(tmp_path)


def test_actions_agree_where_they_are_near() -> None:
    agreement = TASK.agreement
    assert agreement is not None
    reference = [[[0.0, 0.0]], [[1.0, -1.0]], [[0.0, 0.0]], [[0.0, 0.0]]]
    answers = [[[0.1, 0.0]], [[0.5, -1.0]], [[float("nan"), 0.0]], [[0.0]]]
    assert distances(answers, reference) == pytest.approx([0.025, 0.125, np.inf, np.inf])
    assert list(agreement.same(answers, reference)) == [True, False, False, False]
    assert agreement.figures is not None
    figures = agreement.figures(answers[:2], reference[:2])
    assert figures == pytest.approx({"mean distance of actions": 0.075, "largest distance of a stretch": 0.125})
