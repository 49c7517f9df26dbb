"""Forecasting: periods, what repeats itself, reading series, the pipeline around a network, and the loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.bench.metrics.forecasts import weighted_quantile_loss
from edgekit.core import Runner, TensorSpec
from edgekit.errors import BadInput
from edgekit.registry import find
from edgekit.tasks.evidence.series import HORIZON, SERIES
from edgekit.tasks.time_series_forecasting import Forecaster
from edgekit.tasks.time_series_forecasting.periods import periods_of, phases, seasonal_forecast
from edgekit.tasks.time_series_forecasting.series import samples, series_of

RULE = {"most": 3, "least": 2, "alpha": 0.05}
TASK = find("tasks", "time-series-forecasting")


@pytest.mark.parametrize("period", [7, 12, 24, 52])
def test_the_period_of_a_wave_in_noise(period: int) -> None:
    noise = 0.2 * np.random.default_rng(period).standard_normal(1024)
    wave = np.sin(2 * np.pi * np.arange(1024) / period) + noise
    assert abs(periods_of(wave.astype(np.float32), RULE)[0] - period) <= round(period / 50)


def test_noise_and_constants_have_no_period() -> None:
    noise = np.random.default_rng(3).standard_normal(1024).astype(np.float32)
    assert periods_of(noise, RULE) == [0, 0, 0] == periods_of(np.ones(1024, np.float32), RULE)
    two = np.sin(np.arange(1024) * 2 * np.pi / 16) + 0.6 * np.sin(np.arange(1024) * 2 * np.pi / 64)
    assert periods_of(two.astype(np.float32), RULE) == [16, 64, 0], "the stronger first"


def test_phases_and_what_repeats_itself() -> None:
    made = phases(9, [4, 0])
    assert made[:, :2] == pytest.approx(
        np.stack([np.sin(np.arange(9) * np.pi / 2), np.cos(np.arange(9) * np.pi / 2)], 1), abs=1e-5
    )
    assert not made[:, 2:].any()
    values = np.tile(np.array([1, 2, 3, 4], np.float32), 8)
    assert seasonal_forecast(values, np.ones(32, bool), 4, 6, 4).tolist() == [1, 2, 3, 4, 1, 2]
    observed = np.ones(32, bool)
    observed[2::4] = False  # never seen: the mean of all that was
    assert seasonal_forecast(values, observed, 4, 4, 4) == pytest.approx([1, 2, 7 / 3, 4])
    assert seasonal_forecast(values, observed, 0, 2, 4) == pytest.approx([7 / 3, 7 / 3])


class Repeating(Runner):
    """Its quantiles are the fill, and a little below and above."""

    inputs = (TensorSpec("features", "float32", (1, 64, 8)), TensorSpec("fill", "float32", (1, 4)))
    outputs = (TensorSpec("quantiles", "float32", (1, 4, 3)),)
    seen: Any = None

    def __call__(self, feeds: Any) -> dict[str, NDArray[Any]]:
        assert feeds["features"].shape == (1, 64, 8) and feeds["features"].dtype == np.float32
        self.seen = feeds
        steps = feeds["fill"][0][:, None]
        return {"quantiles": np.concatenate([steps - 0.1, steps, steps + 0.1], 1)[None].astype(np.float32)}


def forecaster() -> tuple[Forecaster, Repeating]:
    network = Repeating()
    facts = {"context": 64, "horizon": 4, "levels": [0.1, 0.5, 0.9], "observed": 8, "periods": {**RULE, "bins": 16}}
    return Forecaster({"network": network}, Path(), facts), network


def test_a_wave_goes_on_in_its_own_measure(tmp_path: Path) -> None:
    predictor, network = forecaster()
    wave = 100 + 10 * np.sin(2 * np.pi * np.arange(80) / 16)
    found = predictor.predict(wave, horizon=10, out=tmp_path / "f.csv")
    median = [row[1] for row in found.details["quantiles"]]
    assert median == pytest.approx(100 + 10 * np.sin(2 * np.pi * np.arange(80, 90) / 16), abs=0.5)
    assert found.details["quantiles"][0][2] - median[0] == pytest.approx(2.0, abs=0.01), "a tenth of the range"
    assert network.seen["features"][0, :, 0].min() >= 0 and network.seen["features"][0, :, 0].max() <= 1
    table = (tmp_path / "f.csv").read_text().splitlines()
    assert table[0] == "step,0.1,0.5,0.9" and len(table) == 11
    assert TASK.show(wave, found).size == (960, 360)
    agreement = TASK.agreement
    answer = agreement.answer(found)
    far = [[value + 0.02 for value in row] for row in answer]
    assert agreement.same([answer, far, answer[:3]], [answer] * 3) == [True, False, False]
    assert agreement.figures([far], [answer])["largest"] == pytest.approx(0.02)


def test_gaps_short_series_and_constants() -> None:
    predictor, network = forecaster()
    series = np.arange(20.0)
    series[3], series[5] = np.nan, np.inf
    found = predictor.predict(series)
    assert found.details["notes"] == ["2 of 20 steps are gaps"]
    assert network.seen["features"][0, :, 1].sum() == 18 and not network.seen["features"][0, :44, 1].any()
    constant = predictor.predict(np.full(30, 7.0))
    assert [row[1] for row in constant.details["quantiles"]] == pytest.approx([7.0] * 4, abs=1e-4)
    assert agreement_of(constant) is not None


def agreement_of(found: Any) -> Any:
    return TASK.agreement.answer(found)


@pytest.mark.parametrize("sample", [[1.0, 2.0, 3.0], [[1.0], [2.0]], [], ["a"], [float("nan")] * 30])
def test_series_that_are_none(sample: Any) -> None:
    with pytest.raises(BadInput):
        forecaster()[0].predict(sample)


@pytest.mark.parametrize("options", [{"top": 1}, {"horizon": 0}, {"horizon": 1e3}, {"horizon": 1001}, {"out": "a.txt"}])
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        forecaster()[0].predict(np.arange(30.0), **options)


def test_tables(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("date,sales,price\n2020-01,3,1.5\n2020-02,,2.5\n2020-03,inf,3.5\n")
    assert series_of(file).tolist() == [1.5, 2.5, 3.5]
    assert series_of(str(file), "sales").tolist() == pytest.approx([3, np.nan, np.nan], nan_ok=True)
    assert series_of(file, "2")[0] == 3
    file.write_text("1\n2\n3\n")
    assert series_of(file).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "column", "match"),
    [
        ("", "", "empty"),
        ("a,b\n", "", "no numbers"),
        ("a,b\n1,2\n", "c", "There are: a, b"),
        ("1,2\n", "3", "2 columns"),
        ("a,b\n1,x\n", "", "row 2: 'x' is no number"),
        ("a,b\n1\n", "", "row 2: it has 1 columns"),
        ("\x00\x01", "", ""),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, column: str, match: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        series_of(tmp_path / "a.csv", column)
    assert match in f"{caught.value.message} {caught.value.hint}"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        series_of(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(BadInput, match="not a table"):
        series_of(tmp_path / "a.csv")


def test_data_folders_hold_the_end_back(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no \.csv"):
        samples(tmp_path, 3)
    (tmp_path / "a.csv").write_text("1\n2\n3\n4\n5\n")
    (sample,) = samples(tmp_path, 3)
    assert sample.input.tolist() == [1, 2] and sample.truth == [3, 4, 5]
    with pytest.raises(BadInput, match="5 are held back"):
        samples(tmp_path, 5)


def test_the_loss_is_zero_for_what_came_and_grows_with_the_distance() -> None:
    right = {"levels": [0.5], "rows": [[1.0], [2.0]]}
    assert weighted_quantile_loss([right], [[1.0, 2.0]]) == [(0.0, 3.0)]
    assert weighted_quantile_loss([right], [[2.0, math.nan]]) == [(1.0, 2.0)], "a gap does not count"
    low = {"levels": [0.1, 0.9], "rows": [[0.0, 0.0]]}
    assert weighted_quantile_loss([low], [[1.0]]) == [(pytest.approx(1.0), 1.0)]
    for outputs, truths in (([right], [None]), ([right], [[1.0] * 3]), ([right], [])):
        with pytest.raises(BadInput):
            weighted_quantile_loss(outputs, truths)


def test_the_evidence_is_two_halves_of_series_with_what_came() -> None:
    made = SERIES.samples(Path())
    halves = [{sample.name.rpartition("-")[0] for sample in half} for half in (made[:16], made[16:])]
    assert halves[0] == {"co2", "elnino"} and len(made) == 32 and not halves[0] & halves[1]
    assert all(len(sample.truth) == HORIZON and len(sample.input) >= 100 for sample in made)
    assert np.isnan(made[0].input).any(), "carbon dioxide has weeks without a measurement"
