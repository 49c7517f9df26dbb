"""Reinforcement learning: a policy, from what a robot's sensors say to what its motors do, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from edgekit.common.files import need_file
from edgekit.common.lazy import Floats, np
from edgekit.core import Facts, Prediction, Predictor, Runner, Sample, Task, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.common.agreement import array_distances, of_distances
from edgekit.tasks.common.folders import need_files
from edgekit.tasks.tensors.arrays import read

#: The array of observations in a file: [steps, numbers], or [stretches, steps, numbers].
NAME = "observations"


def samples(folder: Path) -> Sequence[Sample]:
    """Every .npz file of a folder, with an array ``observations``, without a truth.

    Raises:
        BadInput: no such file, or one that cannot be read.
    """
    files = need_files(folder.glob("*.npz"), folder, "no .npz file")
    return [Sample(observations_in(file), None, file.name) for file in files]


def stretches(file: Traversable, name: str, episodes: int) -> Sequence[Sample]:
    """A sample for each of the stretches in a file of the package: float32 [steps, numbers].

    They are of so many `episodes`, one after the other, each with as many.
    """
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        whole = arrays[NAME].astype(np.float32)
    return [
        Sample(stretch, None, f"{name}-{i + 1:02d}", source=f"episode {i * episodes // len(whole) + 1}")
        for i, stretch in enumerate(whole)
    ]


def observations_in(sample: Any) -> Floats:
    """The observations of a sample as float32 [steps, numbers].

    Args:
        sample: a .npz file with an array ``observations`` (or a single one), a .csv of numbers with a row a step, or
            an array of one observation or several.

    Raises:
        BadInput: it cannot be read, is empty, has more than two axes, or holds numbers that are not finite.
    """
    if isinstance(sample, (str, Path)):
        sample = _of_file(Path(sample))
    try:
        rows = np.atleast_2d(np.asarray(sample, np.float32))
    except (TypeError, ValueError) as exc:
        raise BadInput(f"these are no observations: {exc}.") from exc
    if rows.ndim != 2 or not rows.size:
        raise BadInput(f"observations are rows of numbers, and this has the shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise BadInput("an observation holds a number that is not finite.")
    return rows


def _of_file(file: Path) -> Any:
    need_file(file)
    if file.suffix == ".csv":
        try:
            return np.loadtxt(file, np.float32, delimiter=",", ndmin=2)
        except (OSError, ValueError) as exc:
            raise BadInput(f"{file.name} is not a table of numbers: {exc}.") from exc
    arrays = read(file)
    if NAME not in arrays and len(arrays) != 1:
        raise BadInput(f"{file.name} holds no array {NAME!r}.", hint=f"There is: {', '.join(arrays) or 'nothing'}.")
    return arrays[NAME] if NAME in arrays else next(iter(arrays.values()))


def distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """For each sample the mean distance of its actions from the reference's, as a share of their range of 2.

    Infinite where an answer has another shape, or is not finite.
    """
    return array_distances(answers, reference, lambda mine, other: abs(mine - other).mean() / 2)


#: Steps that are printed.
_SHOWN = 20


class Steering(Predictor):
    """A policy without state.

    `facts`: ``limit``, the largest action that motors follow: they clip what is beyond. The simulator's reward knows
    the action before that, so both are given.
    """

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        (self._network,) = parts.values()
        self._observation, self._action = self._network.inputs[0], self._network.outputs[0]
        self._limit = fact_of(facts, "limit", float)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The actions for the observations of a sample (`edgekit.tasks.reinforcement_learning`).

        Returns:
            The last action as text; all of them in the details: ``actions``, and ``applied``, within the limit.

        Raises:
            BadInput: an observation of another size, or an option is unknown.
        """
        check_names(options, ())
        rows = observations_in(sample)
        wanted = self._observation.shape[-1]
        if rows.shape[1] != wanted:
            raise BadInput(f"an observation has {rows.shape[1]} numbers; this robot's has {wanted}.")
        actions = np.concatenate(
            [self._network({self._observation.name: row[None]})[self._action.name] for row in rows]
        )
        applied = np.clip(actions, -self._limit, self._limit)
        lines = [f"step {i + 1:4}: {_text(action)}" for i, action in enumerate(applied[:_SHOWN])]
        lines += [f"... {len(applied) - _SHOWN} more"] if len(applied) > _SHOWN else []
        details = {"actions": actions.tolist(), "applied": applied.tolist(), "lines": lines}
        return Prediction(_text(applied[-1]), details, {"steps": float(len(rows))}, score=applied)


def _text(action: Any) -> str:
    return " ".join(f"{value:+.2f}" for value in action)


#: Largest mean distance from fp32's actions over a stretch, of their range.
_NEAR = 0.05


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 4) for value in action] for action in prediction.details["applied"]]


TASK = Task(
    "reinforcement-learning",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Steering(parts, facts),
    golden="policy/observations/half-cheetah-policy-golden.npz",
    agreement=of_distances(
        f"actions of a stretch within {_NEAR:.0%} of their range of fp32's, on average",
        _answer,
        distances,
        _NEAR,
        ("mean distance of actions", "largest distance of a stretch"),
    ),
)
