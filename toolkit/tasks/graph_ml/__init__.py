"""Graph machine learning: of the nodes of a graph, here the residues of a protein by their places in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core import Agreement, Evaluation, Prediction, Task
from edgekit.tasks.graph_ml.agreeing import divergences, figures
from edgekit.tasks.graph_ml.residues import Residues
from edgekit.tasks.graph_ml.showing import draw_prediction
from edgekit.tasks.graph_ml.structures import samples

#: Largest mean KL divergence of a structure's residues from fp32's, in nats; and the least share of structures.
_NEAR, _BAR = 0.05, 0.9


def _answer(prediction: Prediction) -> Any:
    return [[round(value, 2) for value in row] for row in prediction.metric_input["log_probabilities"]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> Sequence[bool]:
    return [value <= _NEAR for value in divergences(answers, reference)]


TASK = Task(
    "graph-ml",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder),
    lambda parts, folder, facts: Residues(parts, facts),
    metric="recovery",
    golden="protein/structures/1a8o.pdb",
    evaluation=Evaluation("recovery", worst=None, drop=0.02, minimum=20),
    agreement=Agreement(
        f"probabilities of residues within {_NEAR} nats of fp32's, by their mean KL divergence in a structure",
        _answer,
        _same,
        _BAR,
        figures,
        bounds=False,
    ),
    show=lambda sample, prediction: draw_prediction(prediction),
)
