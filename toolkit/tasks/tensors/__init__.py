"""Arrays in, arrays out: for networks of any other purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Task
from edgekit.tasks.tensors.arrays import cosines, determination, errors, objection, sample_outputs, samples
from edgekit.tasks.tensors.chain import Chain

#: Least cosine of every output with the reference's, and the least share of samples that reach it.
_NEAR, _BAR = 0.99, 0.95


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    return [cosine >= _NEAR for cosine in cosines(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {
        "least cosine": min(cosines(answers, reference), default=0.0),
        "largest relative error": max(errors(answers, reference), default=0.0),
        "coefficient of determination (R²)": determination(answers, reference),
    }


TASK = Task(
    "tensors",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Chain(parts),
    agreement=Agreement(
        f"every output has a cosine of at least {_NEAR} with fp32's",
        lambda prediction: sample_outputs(prediction.score),
        _same,
        _BAR,
        _figures,
        bounds=False,
        objection=objection,
    ),
)
