"""Fracast with its real weights: the package's own numbers, and better than a series that repeats itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bench.metrics.forecasts import weighted_quantile_loss
from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.forecasting.network import network
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.evidence.series import SERIES
from edgekit.tasks.resolved import predictor_of

MODEL = find("models", "fracast")
#: What the package (weights="fp32") says of the wave below: levels 0.1, 0.5, 0.9 of three steps.
WANTED = [[61.0543, 61.6855, 62.7209], [55.7257, 56.6318, 58.4144], [59.2508, 60.3729, 61.8258]]
#: Steps after which a series repeats itself, by name; the others are quarterly.
PERIODS = {"co2": 52, "elnino": 12, "sunspots": 11}


def test_other_weights_are_refused() -> None:
    with pytest.raises(BadInput, match="lack"):
        network({})
    with pytest.raises(BadInput, match=r"'head.queries' are \[3\], not \[48, 64\]"):
        network({"head.queries": np.zeros(3), "core.in_proj.weight": np.zeros(3)})


@pytest.fixture(scope="module")
def weights() -> Checkpoint:
    folder, _ = fetch(MODEL.weights.sources, cache=cache_folder())
    return read_checkpoint(folder)


@pytest.mark.real
def test_it_says_what_the_package_says_and_beats_repetition(weights: Checkpoint) -> None:
    (part,) = MODEL.network.parts
    parts = {part.name: reference_of(part, part.build(weights))}
    predictor = predictor_of(MODEL, parts, Path(), MODEL.weights.prepare(weights, Path()))
    wave = 50 + 0.01 * np.arange(700) + 5 * np.sin(2 * np.pi * np.arange(700) / 24)
    wave[100:110] = np.nan
    rows = predictor.predict(wave).details["quantiles"]
    assert [[row[0], row[4], row[8]] for row in (rows[0], rows[20], rows[47])] == [
        pytest.approx(row, abs=1e-3) for row in WANTED
    ]
    mine, naive, truths = [], [], []
    for sample in SERIES.samples(Path()):
        known = sample.input[np.isfinite(sample.input)]
        period = PERIODS.get(sample.name.rpartition("-")[0], 4)
        mine.append(predictor.predict(sample.input).score)
        naive.append({"levels": [0.5], "rows": [[known[step % period - period]] for step in range(48)]})
        truths.append(sample.truth)
    losses = []
    for outputs in (mine, naive):
        pairs = weighted_quantile_loss(outputs, truths)
        losses.append(np.array([loss / size for loss, size in pairs]))
    assert losses[0].mean() < 0.75 * losses[1].mean() and (losses[0] < losses[1]).mean() > 0.75
