"""Time series forecasting: from the past of a series to quantiles of its next steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Evaluation, Facts, Prediction, Predictor, Runner, Task, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.common.agreement import array_distances, of_distances
from edgekit.tasks.evidence.series import SERIES
from edgekit.tasks.time_series_forecasting.periods import PeriodRule, periods_of, phases, seasonal_forecast
from edgekit.tasks.time_series_forecasting.series import samples, series_of

#: Least range of a series by which it is divided; steps of a forecast at most; lines that are shown; steps before it
#: that are drawn.
_LEAST_RANGE, _LONGEST, _SHOWN, _DRAWN = 1e-5, 1000, 60, 200


class Forecaster(Predictor):
    """Quantiles of a series' next steps.

    Part ``network``: ``features`` float32 [1, context, 2 + 2 * periods] (value from 0 to 1, whether it was observed,
    phases) and ``fill`` float32 [1, horizon] (`periods.seasonal_forecast`) -> ``quantiles`` float32
    [1, horizon, levels], in the measure of the values.

    `facts`: ``context`` and ``horizon`` in steps; ``levels`` of the quantiles, with 0.5 among them; ``observed``, the
    fewest steps that must not be gaps; ``periods`` (see `periods.periods_of`) with ``bins`` (see
    `periods.seasonal_forecast`).
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._facts = parts["network"], facts
        self._levels = fact_of(facts, "levels", list[float])
        self._horizon, self._context = fact_of(facts, "horizon", int), fact_of(facts, "context", int)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The forecast of a series: details ``levels``, ``quantiles`` (a row a step), ``last`` (the steps before it,
        for a drawing), ``range`` of the series.

        Args:
            sample: see `edgekit.tasks.time_series_forecasting.series.series_of`. Of a long one the end is used.
            options: ``horizon``, steps of the forecast: beyond the network's own the medians are taken for observed;
                ``column`` of a file; ``out``, a .csv that the forecast is written to.

        Raises:
            BadInput: it cannot be read, has too few steps that are not gaps, or an option is unknown or wrong.
        """
        check_names(options, ("horizon", "column", "out"))
        horizon, column = options.pop("horizon", self._horizon), str(options.pop("column", ""))
        out = options.pop("out", "")
        if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= _LONGEST:
            raise BadInput(f"horizon is a number of steps from 1 to {_LONGEST}, not {horizon!r}.")
        if out and Path(str(out)).suffix.lower() != ".csv":
            raise BadInput(f"a forecast is written as .csv, not as {Path(str(out)).name!r}.")
        series = series_of(sample, column)[-self._context :]
        middle, blocks, source = self._levels.index(0.5), list[Any](), series
        while sum(len(block) for block in blocks) < horizon:
            blocks.append(self._block(source))
            source = np.concatenate([source, blocks[-1][:, middle]])[-self._context :]
        made = np.concatenate(blocks)[:horizon]
        if out:
            _write(Path(str(out)), self._levels, made)
        return self._prediction(series, made)

    def _block(self, series: Any) -> NDArray[np.float64]:
        """The network's own steps, float64 [horizon, levels]."""
        tail = np.asarray(series, np.float32)
        observed = np.isfinite(tail)
        least = fact_of(self._facts, "observed", int)
        if int(observed.sum()) < least:
            raise BadInput(
                f"the series has {int(observed.sum())} steps that are not gaps; a forecast needs {least} at least."
            )
        low = float(tail[observed].min())
        span = max(float(tail[observed].max()) - low, _LEAST_RANGE)
        values, mask = np.zeros(self._context, np.float32), np.zeros(self._context, bool)
        values[-len(tail) :] = np.where(observed, (tail - low) / span, 0.0).astype(np.float32)
        mask[-len(tail) :] = observed
        outputs = self._network(self._feeds(values, mask))
        return np.asarray(outputs["quantiles"][0], np.float64) * span + low

    def _feeds(self, values: Floats, mask: NDArray[np.bool_]) -> dict[str, Floats]:
        rule = fact_of(self._facts, "periods", PeriodRule)
        whole = np.where(mask, values, values[mask].mean(dtype=np.float32)).astype(np.float32)
        periods = periods_of(whole, rule)
        features = np.concatenate(
            [values[:, None], mask[:, None].astype(np.float32), phases(self._context, periods)], axis=1
        )
        return {
            "features": features[None],
            "fill": seasonal_forecast(values, mask, periods[0], self._horizon, rule["bins"])[None],
        }

    def _prediction(self, series: Any, made: NDArray[np.float64]) -> Prediction:
        low, middle, high = 0, self._levels.index(0.5), len(self._levels) - 1
        lines = [f"{'step':>5}  {self._levels[low]:>12g}  {'median':>12}  {self._levels[high]:>12g}"]
        for number, row in enumerate(made[:_SHOWN], 1):
            lines.append(f"{number:>5}  {row[low]:>12.6g}  {row[middle]:>12.6g}  {row[high]:>12.6g}")
        if len(made) > _SHOWN:
            lines.append(f"and {len(made) - _SHOWN} more: --out forecast.csv")
        gaps = int(np.isnan(series).sum())
        finite = series[np.isfinite(series)]
        details = {
            "levels": self._levels,
            "quantiles": made.tolist(),
            "last": [None if np.isnan(value) else float(value) for value in series[-_DRAWN:]],
            "range": float(finite.max() - finite.min()),
            "lines": lines,
            "notes": [f"{gaps} of {len(series)} steps are gaps"] if gaps else [],
        }
        told = f"{len(made)} steps: the median goes from {made[0, middle]:.5g} to {made[-1, middle]:.5g}"
        return Prediction(
            told, details, {"steps": float(len(made))}, score={"levels": self._levels, "rows": made.tolist()}
        )


def _write(file: Path, levels: list[float], made: NDArray[np.float64]) -> None:
    from edgekit.common.files import replacing

    rows = ["step," + ",".join(f"{level:g}" for level in levels)]
    rows += [f"{number}," + ",".join(f"{value:.9g}" for value in row) for number, row in enumerate(made, 1)]
    with replacing(file) as fresh:
        fresh.write_text("\n".join(rows) + "\n", encoding="utf-8")


def draw_prediction(prediction: Prediction) -> Any:
    """The end of the series, and after it the median in the band from the lowest to the highest quantile: a PIL
    image."""
    from edgekit.tasks.common.drawing import Axes

    last = [float("nan") if value is None else value for value in prediction.details["last"]]
    rows, levels = prediction.details["quantiles"], prediction.details["levels"]
    low, middle, high = [row[0] for row in rows], [row[levels.index(0.5)] for row in rows], [row[-1] for row in rows]
    known = [value for value in last if value == value]
    heights = (min(*known, *low), max(*known, *high))
    axes = Axes((-len(last), len(rows)), heights, ("steps from now", f"median, {levels[0]:g} to {levels[-1]:g}"))
    steps = list(range(1, len(rows) + 1))
    axes.band(steps, low, high)
    axes.curve(list(range(1 - len(last), 1)), last)
    axes.curve(steps, middle, 1)
    return axes.image


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
