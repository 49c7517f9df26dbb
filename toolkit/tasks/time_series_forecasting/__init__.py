"""Time series forecasting: from the past of a series to quantiles of its next steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core import Evaluation, Prediction, Task
from edgekit.tasks.common.agreement import array_distances, of_distances
from edgekit.tasks.evidence.series import SERIES
from edgekit.tasks.time_series_forecasting.forecaster import Forecaster, draw_prediction
from edgekit.tasks.time_series_forecasting.series import samples

#: Largest mean distance from fp32's quantiles, as a share of the series' range.
_NEAR = 0.01
#: Steps that are held back of a series of a data folder, and the quantiles that answers keep.
_HELD, _KEPT = 48, (0.1, 0.5, 0.9)


def _answer(prediction: Prediction) -> list[list[float]]:
    """Quantiles of each step, as shares of the series' range."""
    levels, span = prediction.details["levels"], prediction.details["range"] or 1.0
    kept = [levels.index(level) for level in _KEPT if level in levels]
    return [[round(row[at] / span, 5) for at in kept] for row in prediction.details["quantiles"]]


def _distances(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    return array_distances(answers, reference, lambda mine, other: abs(mine - other).mean())


TASK = Task(
    "time-series-forecasting",
    "arrays",
    "answers",
    lambda folder, labels: samples(folder, _HELD),
    Forecaster,
    metric="wql",
    golden="data/golden/golden-series.csv",
    # Of a stranger's network no loss is known that would be too high; its change is judged.
    evaluation=Evaluation("wql", worst=None, drop=0.005, minimum=20),
    evidence=SERIES,
    agreement=of_distances(
        f"quantiles within {_NEAR:.0%} of the series' range of fp32's, on average",
        _answer,
        _distances,
        _NEAR,
        ("mean distance of quantiles, of the range", "largest"),
    ),
    show=lambda sample, prediction: draw_prediction(prediction),
)
