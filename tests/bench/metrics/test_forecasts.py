"""The weighted quantile loss, by hand."""

from __future__ import annotations

import math

import pytest

from edgekit.bench.metrics.forecasts import weighted_quantile_loss
from edgekit.errors import BadInput

FORECAST = {"levels": [0.1, 0.5, 0.9], "rows": [[1.0, 2.0, 3.0]] * 3}


@pytest.mark.parametrize(
    ("truth", "loss", "size"),
    [
        ([4.0], 2 * (0.1 * 3 + 0.5 * 2 + 0.9 * 1) / 3, 4.0),
        ([0.0], 2 * (0.9 * 1 + 0.5 * 2 + 0.1 * 3) / 3, 0.0),
        ([2.0], 2 * (0.1 * 1 + 0.1 * 1) / 3, 2.0),
        ([math.nan, None, -2.0], 2 * (0.9 * 3 + 0.5 * 4 + 0.1 * 5) / 3, 2.0),  # gaps do not count
    ],
)
def test_it_is_twice_the_pinball_loss(truth: list[float], loss: float, size: float) -> None:
    assert weighted_quantile_loss([FORECAST], [truth])[0] == pytest.approx((loss, size))


def test_what_cannot_be_compared() -> None:
    with pytest.raises(BadInput, match="no truth"):
        weighted_quantile_loss([FORECAST], [None])
    with pytest.raises(BadInput, match="has 3 steps, and the truth 4"):
        weighted_quantile_loss([FORECAST], [[1.0] * 4])
