"""Reports: what is written comes back, what is broken is refused, and what is shown is honest and harmless."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.pages.console import shown
from helpers.pages.html_reports import make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.common import figures
from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports import report, summary
from edgekit.reports.page import document

HOSTILE = "<script>alert(1)</script>\"'><img src=//x>\x1b[31mred [bold]"


text = st.text(st.characters(codec="utf-8"), max_size=12)
number = st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)
groups = st.lists(st.lists(number, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3).map(tuple)
measurements = st.lists(
    st.builds(
        Measurement, text, st.sampled_from(["s", "B", "1"]), groups, groups, st.sampled_from(["lower", "higher"])
    ),
    max_size=3,
    unique_by=lambda item: item.name,
).map(tuple)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.builds(
        make,
        bundle=st.dictionaries(text, text, max_size=3),
        fidelity=st.sampled_from(["device", "host", "emulated", "estimated", "structural"]),
        threads=st.integers(1, 64),
        measurements=measurements,
        warnings=st.lists(text, max_size=2).map(tuple),
    )
)
def test_what_is_saved_comes_back_and_can_be_shown(tmp_path: Path, made: Report) -> None:
    report.save(made, tmp_path / "r.json")
    assert report.load(tmp_path / "r.json") == made
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]
    shown(summary.table(made))
    document.render([made])


def test_a_failed_save_leaves_the_previous_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    report.save(make(), path)
    before = path.read_bytes()

    def broken(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(Exception, match="disk is full"):
        report.save(make(threads=2), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_values_that_no_measurement_gives_are_not_saved(tmp_path: Path, value: float) -> None:
    with pytest.raises(BadInput, match="no measurement gives"):
        report.save(make(measurements=(Measurement("x", "s", ((value,),)),)), tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [{"name": "a", "instructions": ["x"]}]},
        {"layers": [{"name": "a", "instructions": "12"}]},
        {"layers": [{"name": "a"}]},
        {"layers": [{"name": "a", "instructions": [-1]}]},
        {"estimates": [{"name": "a", "low": 1}]},
        {"estimates": [{"name": "a", "low": 1, "high": True}]},
    ],
)
def test_layers_and_estimates_hold_numbers(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        report.load(edited(tmp_path, **change))


def test_layers_and_estimates_are_shown(tmp_path: Path) -> None:
    layers = [{"name": "<conv>", "instructions": [10, 30]}, {"name": "pool", "instructions": [20]}]
    estimates = [{"name": "on a board", "unit": "s", "low": 0.01, "high": 0.02, "basis": "1 to 2 cycles"}]
    made = report.load(edited(tmp_path, layers=layers, estimates=estimates))
    for page in (shown(summary.table(made)), document.render([made])):
        assert "50.0%" in page and "not measured" in page and "10 ms" in page.replace("10.0", "10")
    assert "<conv>" not in document.render([made])


def edited(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "r.json"
    report.save(make(), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def one(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "x", "unit": "s", "values": [[1.0]], **changes}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 4}, "newer edgekit"),
        ({"schema": 2}, "matrix of many cells"),
        ({"schema": 0}, "schema 0"),
        ({"schema": "1"}, "names no schema"),
        ({"threads": "4"}, "int"),
        ({"threads": 0}, "0 threads"),
        ({"fidelity": "guessed"}, "guessed"),
        ({"measurements": one(values=[[-1.0]])}, "-1.0"),
        ({"measurements": one(values=[[float("nan")]])}, "not JSON that can be read"),
        ({"measurements": one(values=[[None]])}, "float"),
        ({"measurements": one(values=[["1"]])}, "float"),
        ({"measurements": one(values=[[]])}, "no values"),
        ({"measurements": one(better="sideways")}, "sideways"),
        ({"measurements": one() + one()}, "twice"),
        ({"host": None}, "object"),
    ],
)
def test_an_edited_report_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        report.load(edited(tmp_path, **changes))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(BadInput):
        report.load(tmp_path / "r.json")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        report.load(tmp_path / "absent.json")
    with pytest.raises(BadInput):
        report.load(tmp_path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_report_is_read_or_refused_but_never_crashes(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "r.json"
    report.save(make(), path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(raw)
    try:
        found = report.load(path)
    except BadInput:
        return
    shown(summary.table(found))
    document.render([found])


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0123, "s", "12.3 ms"),
        (1.5, "s", "1.5 s"),
        (2.5e-6, "s", "2.5 µs"),
        (0.0, "s", "0 ns"),
        (52_100_000.0, "B", "52.1 MB"),
        (0.0341, "1", "0.0341"),
        (123.4, "tokens/s", "123 tokens/s"),
        (None, "s", "not measured"),
    ],
)
def test_figures_have_a_unit_that_suits_them(value: float | None, unit: str, expected: str) -> None:
    assert figures.figure(value, unit) == expected


def test_the_table_puts_warnings_first_and_says_what_is_missing() -> None:
    lines = shown(summary.table(make())).splitlines()
    assert lines[0].startswith("WARNING: THE MACHINE WAS BUSY")
    assert "[host]" in lines[1]
    row = next(line for line in lines if line.startswith("end_to_end.latency"))
    assert "12.3 ms" in row
    assert re.search(r"load\.cold +- +not measured", "\n".join(lines))


def test_tails_need_enough_values_and_point_at_the_bad_side() -> None:
    ramp = tuple(float(i) for i in range(101))
    assert summary.summary(Measurement("x", "s", (ramp,))).p90 == 90.0
    assert summary.summary(Measurement("x", "tokens/s", (ramp,), better="higher")).p99 == 1.0
    few = summary.summary(Measurement("x", "s", ((1.0,),)))
    assert (few.low, few.high, few.p90, few.p99) == (None, None, None, None)


def test_a_hostile_report_can_neither_script_a_browser_nor_a_terminal() -> None:
    hostile = make(
        bundle={"name": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}, "verdict": HOSTILE},
        host={"cpu": HOSTILE},
        versions={HOSTILE: HOSTILE},
        inputs=[{HOSTILE: HOSTILE}],
        warnings=(HOSTILE,),
        measurements=(Measurement(HOSTILE + "latency", HOSTILE, ((1.0, 2.0),)),),
    )
    assert "\x1b" not in shown(summary.table(hostile))
