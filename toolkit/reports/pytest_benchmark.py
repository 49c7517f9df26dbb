"""Reports as pytest-benchmark JSON, for dashboards that read it (github-action-benchmark, Bencher, ...).

The form is that of ``pytest --benchmark-json`` of pytest-benchmark 4 and 5: a benchmark per timed measurement, with its
statistics in seconds. Other measurements (memory, rates) go into ``extra_info``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from edgekit import __version__
from edgekit.bench.statistics import repeated
from edgekit.core import Facts, Measurement, Report
from edgekit.reports.cells import Cell, Matrix, label


def pytest_benchmark(matrix: Matrix) -> Facts:
    """The document for all measured cells, JSON-able. It names the machine of the first cell."""
    measured = [cell for cell in matrix.cells if cell.report is not None]
    host = measured[0].report.host if measured and measured[0].report else {}
    return {
        "machine_info": {
            "node": "",
            "processor": str(host.get("cpu") or ""),
            "machine": str(host.get("architecture") or ""),
            "python_implementation": "CPython",
            "python_version": str(host.get("python") or ""),
            "system": str(host.get("system") or ""),
            "release": str(host.get("kernel") or ""),
            "cpu": {"brand_raw": str(host.get("cpu") or ""), "count": host.get("cores")},
        },
        "commit_info": {"id": "unknown", "time": None, "dirty": False, "branch": "unknown"},
        "benchmarks": [entry for cell in measured for entry in _entries(cell)],
        "datetime": str(host.get("time") or ""),
        "version": f"edgekit {__version__}",
    }


def _entries(cell: Cell) -> list[Facts]:
    report = cell.report
    assert report is not None
    others = {item.name: repeated.middle(item.values) for item in report.measurements if item.unit != "s"}
    return [
        {
            "group": item.name,
            "name": f"{item.name}[{label(cell)}]",
            "fullname": f"edgekit::{item.name}[{label(cell)}]",
            "params": {
                "model": cell.model,
                "target": cell.target,
                "precision": cell.precision,
                "threads": cell.threads,
            },
            "param": label(cell),
            "extra_info": {"fidelity": report.fidelity, "warnings": list(report.warnings), **others},
            "options": _options(report),
            "stats": _statistics(item),
        }
        for item in report.measurements
        if item.unit == "s"
    ]


def _options(report: Report) -> Facts:
    facts = report.host.get("run")
    rounds = facts.get("loops") if isinstance(facts, dict) else None
    most = max(rounds) if isinstance(rounds, list) and rounds and all(isinstance(n, int) for n in rounds) else 1
    return {
        "disable_gc": False,
        "timer": "perf_counter",
        "min_rounds": most,
        "max_time": 1.0,
        "min_time": 0.0,
        "warmup": True,
    }


def _statistics(item: Measurement) -> Facts:
    """As pytest-benchmark computes them from the rounds: sample deviation, quartiles, Tukey's outliers."""
    values = repeated.pool(item.values)
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    low, middle, high = _quartiles(sorted(values))
    inside = [value for value in values if low - 1.5 * (high - low) <= value <= high + 1.5 * (high - low)]
    outliers = len(values) - len(inside)
    far = sum(abs(value - mean) > deviation for value in values)
    return {
        "min": min(values),
        "max": max(values),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(values),
        "median": middle,
        "iqr": high - low,
        "q1": low,
        "q3": high,
        "iqr_outliers": outliers,
        "stddev_outliers": far,
        "outliers": f"{far};{outliers}",
        "ld15iqr": min(inside),
        "hd15iqr": max(inside),
        "ops": 1.0 / mean if mean else 0.0,
        "total": math.fsum(values),
        "iterations": 1,
        "data": values,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float, float]:
    """Tukey's: the medians of the halves, the middle value in both."""
    half = (len(ordered) + 1) // 2
    return repeated.median(ordered[:half]), repeated.median(ordered), repeated.median(ordered[-half:])
