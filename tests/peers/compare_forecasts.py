"""Forecasts of a bundle beside AutoETS and AutoARIMA (statsforecast), by the weighted quantile loss on the evidence.

    python tests/peers/compare_forecasts.py --statistics ENV/bin/python BUNDLE

ENV: an environment with tests/peers/forecasts-requirements.txt. The statistical methods are given each series' season,
which the bundle finds by itself, and no gaps: these are filled along straight lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import edgekit
from edgekit.bench import metrics
from edgekit.core import Sample
from edgekit.tasks.evidence.series import HORIZON, SERIES

#: Steps of a season, by the name of a series; of any other a quarter of a year is a step.
SEASONS = {"co2": 52, "elnino": 12, "sunspots": 11}
_QUARTERS = 4
LEVELS = [round(0.1 * number, 1) for number in range(1, 10)]
METHODS = {"ets": "AutoETS", "arima": "AutoARIMA"}


class Statistics:
    """The statistical methods, in a process of their own."""

    def __init__(self, python: str) -> None:
        worker = Path(__file__).parent / "_forecast_worker.py"
        self._process = subprocess.Popen(
            [python, str(worker)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def forecast(self, sample: Sample, method: str) -> dict[str, Any]:
        """Quantiles of the next steps, as the metric takes them."""
        values = np.asarray(sample.input, np.float64)
        known = np.flatnonzero(np.isfinite(values))
        filled = np.interp(np.arange(known[0], len(values)), known, values[known])
        season = SEASONS.get(series_of(sample), _QUARTERS)
        asked = {"values": filled.tolist(), "season": season, "horizon": HORIZON, "method": method}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the statistics have ended: see their last lines above.")
        return {"levels": LEVELS, "rows": json.loads(answer)}


def series_of(sample: Sample) -> str:
    """The name of the series that a sample is a cut of."""
    return sample.name.rpartition("-")[0]


def losses(samples: Sequence[Sample], answers: Sequence[Any]) -> dict[str, float]:
    """Series -> weighted quantile loss of its cuts."""
    metric = metrics.find("wql")
    made = {}
    for name in dict.fromkeys(map(series_of, samples)):
        at = [i for i, sample in enumerate(samples) if series_of(sample) == name]
        pairs = metrics.score(metric, [answers[i] for i in at], [samples[i].truth for i in at])
        made[name] = metrics.aggregate(metric, pairs)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("--statistics", required=True, help="python of the other environment")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    arguments = parser.parse_args()
    samples, predictor = SERIES.samples(Path()), edgekit.load(arguments.bundle)
    statistics = Statistics(arguments.statistics)
    columns = {"bundle": losses(samples, [predictor.predict(sample.input).metric_input for sample in samples])}
    for method in arguments.methods:
        columns[METHODS[method]] = losses(samples, [statistics.forecast(sample, method) for sample in samples])
    print(f"| series | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for series in columns["bundle"]:
        print(f"| {series} | {' | '.join(f'{column[series]:.4f}' for column in columns.values())} |")


if __name__ == "__main__":
    main()
