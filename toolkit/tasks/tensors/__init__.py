"""Arrays in, arrays out: for networks of any other purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Objection, Prediction, Predictor, Runner, Sample, Task

#: Least cosine of every output with the reference's, and the least share of samples that reach it.
_NEAR, _BAR = 0.99, 0.95


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.tensors.arrays import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.tensors.chain import Chain

    return Chain(parts)


def _answer(prediction: Prediction) -> Any:
    from edgekit.tasks.tensors.arrays import sample_outputs

    return sample_outputs(prediction.score)


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    from edgekit.tasks.tensors.arrays import cosines

    return [cosine >= _NEAR for cosine in cosines(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.tensors.arrays import cosines, determination, errors

    return {
        "least cosine": min(cosines(answers, reference), default=0.0),
        "largest relative error": max(errors(answers, reference), default=0.0),
        "coefficient of determination (R²)": determination(answers, reference),
    }


def _objection(answers: Sequence[Any], reference: Sequence[Any]) -> Objection | None:
    from edgekit.tasks.tensors.arrays import objection

    return objection(answers, reference)


TASK = Task(
    "tensors",
    "arrays",
    "answers",
    _samples,
    _predictor,
    agreement=Agreement(
        f"every output has a cosine of at least {_NEAR} with fp32's",
        _answer,
        _same,
        _BAR,
        _figures,
        bounds=False,
        objection=_objection,
    ),
)
