"""Graph machine learning: of the nodes of a graph, here the residues of a protein by their places in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Predictor, Runner, Sample, Task

#: Largest mean KL divergence of a structure's residues from fp32's, in nats; and the least share of structures.
_NEAR, _BAR = 0.05, 0.9


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    from edgekit.tasks.graph_ml.structures import samples

    return samples(folder)


def _predictor(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.tasks.graph_ml.residues import Residues

    return Residues(parts, facts)


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 2) for value in row] for row in prediction.metric_input["log_probabilities"]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    from edgekit.tasks.graph_ml.agreeing import divergences

    return [value <= _NEAR for value in divergences(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.graph_ml.agreeing import figures

    return figures(answers, reference)


def _show(sample: Any, prediction: Prediction) -> Any:
    from edgekit.tasks.graph_ml.showing import draw_prediction

    return draw_prediction(prediction)


TASK = Task(
    "graph-ml",
    "arrays",
    "answers",
    _samples,
    _predictor,
    metric="recovery",
    golden="protein/structures/1a8o.pdb",
    evaluation=Evaluation("recovery", worst=None, drop=0.02, minimum=20),
    agreement=Agreement(
        f"probabilities of residues within {_NEAR} nats of fp32's, by their mean KL divergence in a structure",
        _answer,
        _same,
        _BAR,
        _figures,
        bounds=False,
    ),
    show=_show,
)
