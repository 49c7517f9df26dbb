"""Matrices compared cell by cell, and what a comparison is written as for machines."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edgekit.core import Measurement, Report
from edgekit.errors import BadInput
from edgekit.reports import cells
from edgekit.reports.cells import Cell, Matrix
from edgekit.reports.comparing.junit import junit
from edgekit.reports.comparing.markdown import markdown
from edgekit.reports.comparing.matrices import compare_matrices, json_of, losses
from edgekit.reports.pytest_benchmark import pytest_benchmark

HOSTILE = "a|b @all <img src=x> [l](http://x) `c`\x1b[31m\n# h"


def report(factor: float = 1.0, **changes: Any) -> Report:
    values = tuple(tuple(factor * (1.0 + 0.001 * (i + p)) for i in range(6)) for p in range(5))
    host = {"cpu": "a cpu", "cores": 2, "run": {"loops": [6] * 5}}
    measurements = (
        Measurement("end_to_end.latency", "s", values),
        Measurement("rss.peak", "B", tuple((1e6,) for _ in range(5))),
    )
    return replace(Report(1, {}, "host", host, {}, [], 1, measurements), **changes)


def cell(model: str, made: Report | None = None, **changes: Any) -> Cell:
    how: Any = "measured" if made else "crashed"
    return replace(Cell(model, "t", "e", "p", 1, "host", how, "" if made else "it died.", report=made), **changes)


def matrix(*found: Cell) -> Matrix:
    return Matrix(2, {"models": []}, found)


BASE = matrix(cell("a", report()), cell("b", report()), cell("c", report()), cell("gone", report()))
NEW = matrix(cell("a", report(1.2)), cell("b", report()), cell("c"), cell("fresh", report()))


def test_each_cell_is_compared_with_its_own_and_a_lost_one_is_a_regression() -> None:
    found = compare_matrices(BASE, NEW, max_regression=0.03)
    assert [item.label.split()[0] for item in found] == ["a", "b", "c", "gone", "fresh"]
    assert losses(found) == [
        "a t e p, 1 thread: end_to_end.latency (1.20 times)",
        "c t e p, 1 thread: was measured in BASE, and crashed in NEW: it died.",
    ]
    assert [item.note for item in found[3:]] == [
        "measured in BASE, not in NEW",
        "not in BASE, measured in NEW",
    ]
    assert [entry["lost"] for entry in json_of(found)] == [False, False, True, False, False]


def test_matrices_without_a_common_cell_or_of_different_machines_are_refused() -> None:
    with pytest.raises(BadInput, match="no cell in common"):
        compare_matrices(BASE, matrix(cell("x", report()), cell("y", report())), max_regression=0.03)
    other = matrix(cell("a", report(host={"cpu": "another"})), cell("b", report()))
    with pytest.raises(BadInput, match="machines differ in cpu"):
        compare_matrices(BASE, other, max_regression=0.03)
    assert compare_matrices(BASE, other, max_regression=0.03, force=True)


def test_two_single_reports_of_other_models_are_compared_by_force_alone() -> None:
    one, other = (cells.of(report(bundle={"model": name})) for name in ("a", "b"))
    with pytest.raises(BadInput, match=r"their models differ \(a; b\)"):
        compare_matrices(one, other, max_regression=0.03)
    (found,) = compare_matrices(one, other, max_regression=0.03, force=True)
    assert "->" in found.label and [row["verdict"] for row in json_of([found])] == ["cannot tell", "cannot tell"]


def test_markdown_tells_the_worst_first_and_is_harmless() -> None:
    text = markdown(compare_matrices(BASE, NEW, max_regression=0.03))
    assert text.startswith("### edgekit: 2 regressions\n\n- 🔴 a t e p, 1 thread: end\\_to\\_end.latency (1.20 times)")
    assert "| rss.peak | 1 MB | 1 MB | 1.000 | 1.000 .. 1.000 | cannot tell |" in text
    hostile = cells.of(report(bundle={"model": HOSTILE}, warnings=(HOSTILE,)))
    text = markdown(compare_matrices(hostile, hostile, max_regression=0.03))
    assert not any(piece in text for piece in ("@all", "<img", "[l]", "\x1b", "a|b", "\n# h", " `c`"))


def test_junit_counts_failures_and_skips() -> None:
    root = ElementTree.fromstring(junit(compare_matrices(BASE, NEW, max_regression=0.03)))
    suites = {suite.get("name", "")[0]: suite for suite in root}
    assert (suites["a"].get("tests"), suites["a"].get("failures")) == ("2", "1")
    assert suites["b"].get("failures") == "0" and suites["c"].get("failures") == "1"
    assert suites["g"].get("skipped") == "1"
    assert suites["a"][0].get("time") == "1.205400000"
    hostile = cells.of(report(bundle={"model": HOSTILE}))
    ElementTree.fromstring(junit(compare_matrices(hostile, hostile, max_regression=0.03)))


def test_pytest_benchmark_reads_what_we_write(tmp_path: Path) -> None:
    """By its own command line, and with the statistics that it computes itself."""
    pytest.importorskip("pytest_benchmark", reason="pip install pytest-benchmark")
    from pytest_benchmark.stats import Stats

    document = pytest_benchmark(BASE)
    (tmp_path / "0001_ours.json").write_text(json.dumps(document))
    code = "from pytest_benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(tmp_path / "0001_ours.json"), "--columns=median,iqr,rounds"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0 and "end_to_end.latency[a t e p, 1 thread]" in done.stdout, done.stderr
    entry = document["benchmarks"][0]
    theirs = Stats()
    for value in entry["stats"]["data"]:
        theirs.update(value)
    for name in ("min", "max", "mean", "stddev", "rounds", "median", "iqr", "q1", "q3", "ops", "total", "ld15iqr"):
        assert entry["stats"][name] == pytest.approx(getattr(theirs, name)), name
    assert entry["stats"]["outliers"] == theirs.outliers
    assert entry["extra_info"]["rss.peak"] == 1e6 and entry["extra_info"]["fidelity"] == "host"
