"""Comparison: certain differences are named, uncertain ones are not, and apples are not compared with pears."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports.comparing import reports

QUIET = ((1.0, 1.01, 0.99, 1.0, 1.02), (1.01, 1.0, 1.0, 0.99, 1.01), (1.0, 0.98, 1.0, 1.01, 1.0))


def make(*measurements: Measurement, **changes: Any) -> Report:
    base = Report(
        schema=1,
        bundle={"name": "fake-model"},
        fidelity="host",
        host={"cpu": "a cpu", "cores": 2, "memory": 2**33, "kernel": "6.1"},
        versions={},
        inputs=[{"name": "a.wav", "sha256": "00"}],
        threads=1,
        measurements=measurements,
    )
    return replace(base, **changes)


def latency(
    factor: float = 1.0, name: str = "end_to_end.latency", unit: str = "s", better: Any = "lower"
) -> Measurement:
    return Measurement(name, unit, tuple(tuple(factor * value for value in group) for group in QUIET), (), better)


def only(base: Measurement, new: Measurement, **options: Any) -> reports.Row:
    (row,) = reports.compare_reports(make(base), make(new), **options)
    return row


def test_the_same_report_is_never_better_than_itself() -> None:
    row = only(latency(), latency())
    assert (row.verdict, row.ratio, row.regressed) == ("cannot tell", 1.0, False)


@pytest.mark.parametrize(
    ("factor", "unit", "better", "verdict", "regressed"),
    [
        (1.5, "s", "lower", "slower", True),
        (0.5, "s", "lower", "faster", False),
        (1.5, "B", "lower", "larger", True),
        (0.5, "B", "lower", "smaller", False),
        (1.5, "tokens/s", "higher", "faster", False),
        (0.5, "tokens/s", "higher", "slower", True),
    ],
)
def test_a_clear_difference_is_named(factor: float, unit: str, better: Any, verdict: str, regressed: bool) -> None:
    row = only(latency(unit=unit, better=better), latency(factor, unit=unit, better=better))
    assert (row.verdict, row.regressed) == (verdict, regressed)
    assert row.ratio == pytest.approx(factor)
    assert row.low is not None
    assert row.high is not None
    assert row.low <= row.ratio <= row.high


def test_a_certain_loss_within_the_allowance_is_no_regression() -> None:
    constant = Measurement("rss.peak", "B", ((100.0,), (100.0,), (100.0,)))
    larger = replace(constant, values=((103.0,), (103.0,), (103.0,)))
    assert only(constant, larger).verdict == "larger"
    assert not only(constant, larger).regressed
    assert only(constant, larger, max_regression=0.01).regressed


def test_noise_that_hides_the_difference_cannot_tell() -> None:
    noisy = Measurement("end_to_end.latency", "s", ((0.5, 2.0, 1.0), (1.4, 0.7, 1.1), (0.9, 1.6, 0.6)))
    louder = replace(noisy, values=tuple(tuple(1.1 * value for value in group) for group in noisy.values))
    row = only(noisy, louder)
    assert (row.verdict, row.regressed) == ("cannot tell", False)


def test_constants_that_are_equal_or_nearly_so_cannot_tell() -> None:
    constant = Measurement("rss.peak", "B", ((100.0,), (100.0,), (100.0,)))
    assert only(constant, constant).verdict == "cannot tell"
    page_more = replace(constant, values=((100.5,), (100.5,), (100.5,)))
    assert only(constant, page_more, max_regression=0.0).verdict == "cannot tell"


def test_two_single_values_cannot_tell() -> None:
    row = only(Measurement("load.cold", "s", ((1.0,),)), Measurement("load.cold", "s", ((9.0,),)))
    assert (row.verdict, row.ratio, row.low) == ("cannot tell", pytest.approx(9.0), None)


def test_a_zero_base_has_no_ratio() -> None:
    row = only(Measurement("rss.file", "B", ((0.0, 0.0),)), Measurement("rss.file", "B", ((1.0, 1.0),)))
    assert (row.verdict, row.ratio) == ("cannot tell", None)


def test_different_inputs_do_not_drown_a_difference() -> None:
    """Three inputs of very different lengths, each 20 % slower: judged by input, that is plain to see."""
    inputs = [{"sha256": str(i)} for i in range(3)]
    values = tuple(tuple(size * (1 + 0.001 * (i + p)) for i in range(6) for size in (1.0, 5.0, 20.0)) for p in range(3))
    base = Measurement("end_to_end.latency", "s", values)
    new = replace(base, values=tuple(tuple(1.2 * value for value in group) for group in values))
    (row,) = reports.compare_reports(make(base, inputs=inputs), make(new, inputs=inputs))
    assert row.verdict == "slower"


def test_a_lost_measurement_is_a_regression_and_a_new_one_is_not() -> None:
    base, new = make(latency()), make(latency(name="rtf", unit="1"))
    rows = reports.compare_reports(base, new)
    assert [(row.name, row.verdict, row.regressed) for row in rows] == [
        ("end_to_end.latency", "lost", True),
        ("rtf", "not measured", False),
    ]
    assert rows[0].new is None and "LOST (regression)" in shown(base, new, rows)
    off = reports.compare_reports(base, new, max_regression=reports.parse_regression_limits(["latency=off"]))
    assert reports.regressions(off) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"host": {"cpu": "another", "cores": 2, "memory": 2**33}}, "differ in cpu"),
        ({"inputs": [{"name": "a.wav", "sha256": "01"}]}, "inputs differ"),
        ({"threads": 2}, "threads"),
        ({"fidelity": "emulated"}, "emulated"),
        ({"schema": 2}, "schemas differ"),
        ({"bundle": {"name": "fake-model", "model": "other"}}, "models differ"),
        ({"bundle": {"name": "fake-model", "target": "other"}}, "targets differ"),
    ],
)
def test_apples_and_pears_need_force(changes: dict[str, Any], word: str) -> None:
    base, new = make(latency()), make(latency(2.0), **changes)
    with pytest.raises(BadInput, match=word):
        reports.compare_reports(base, new)
    rows = reports.compare_reports(base, new, force=True)
    assert rows[0].verdict == "slower"
    assert word in shown(base, new, rows).replace("\n", " ")


def test_a_moved_input_and_a_new_kernel_do_not_matter() -> None:
    host = {"cpu": "a cpu", "cores": 2, "memory": 2**33 - 4096, "kernel": "6.2"}
    moved = make(latency(), host=host, inputs=[{"name": "b.wav", "sha256": "00"}])
    assert reports.incomparable(make(latency()), moved) == []


def test_units_never_mix_even_by_force() -> None:
    with pytest.raises(BadInput, match="is in s"):
        reports.compare_reports(make(latency()), make(latency(unit="B")), force=True)


def test_allowances_by_metric() -> None:
    base = [latency(), latency(name="part.a.latency"), latency(name="load.cold")]
    new = [latency(1.08), latency(1.08, name="part.a.latency"), latency(1.5, name="load.cold")]

    def worse(*texts: str) -> list[str]:
        limits = reports.parse_regression_limits(texts)
        return [
            row.name for row in reports.compare_reports(make(*base), make(*new), max_regression=limits) if row.regressed
        ]

    assert worse() == ["end_to_end.latency", "part.a.latency", "load.cold"]
    assert worse("0.1") == ["load.cold"]
    assert worse("latency=0.1") == ["load.cold"]
    assert worse("load.*=off", "end_to_end.latency=0.1") == ["part.a.latency"]


@pytest.mark.parametrize("text", ["", "x", "=0.1", "latency=", "latency=fast"])
def test_an_allowance_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="max-regression"):
        reports.parse_regression_limits([text])


@pytest.mark.parametrize("allowed", [-0.1, float("nan"), float("inf")])
def test_the_allowance_must_be_a_fraction(allowed: float) -> None:
    with pytest.raises(BadInput, match="fraction"):
        reports.compare_reports(make(), make(), max_regression=allowed)


def test_table_and_json_say_the_same() -> None:
    base, new = make(latency(), warnings=("careful",)), make(latency(2.0))
    rows = reports.compare_reports(base, new)
    text = shown(base, new, rows)
    assert text.startswith("WARNING (base): careful")
    assert "SLOWER (regression)" in text
    (row,) = json.loads(json.dumps(reports.rows_json(rows)))
    assert (row["verdict"], row["regressed"], row["ratio"]) == ("slower", True, pytest.approx(2.0))
    assert [found.name for found in reports.regressions(rows)] == ["end_to_end.latency"]


def shown(base: Report, new: Report, rows: list[reports.Row]) -> str:
    console = Console(file=io.StringIO(), width=200, no_color=True)
    console.print(reports.table(base, new, rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_runs_that_took_no_turns_are_told_so() -> None:
    base, new = make(latency()), make(latency())
    assert "edgekit bench NEW --vs BASE" in shown(base, new, reports.compare_reports(base, new)).replace("\n", " ")
    turns = [make(latency(), host={"cpu": "a cpu", "run": {"session": "s"}}) for _ in range(2)]
    assert reports.apart(*turns) == ""
    counts = [make(latency(unit="instructions"), fidelity="emulated") for _ in range(2)]
    assert reports.apart(*counts) == ""
