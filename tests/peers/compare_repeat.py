"""Do the figures of `edgekit bench` come again? The same bundle, measured several times one after the other.

    python tests/peers/compare_repeat.py BUNDLE [--runs 3] [--threads 1] [--processes 5] [--seconds 3] [--json FILE]

Prints each run's median, 95 % interval and loudest warning, and how far the medians lie apart. The bar: within 3 %, or
at least one run warns. Exit status 1 where neither holds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edgekit.bench.processes.doubts import STEADIER
from edgekit.bench.statistics import repeated
from edgekit.benchmarking.benchmark import benchmark
from edgekit.reports.summary import strata


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    medians, warned, kept = [], 0, []
    for number in range(1, arguments.runs + 1):
        report = benchmark(
            arguments.bundle, threads=arguments.threads, processes=arguments.processes, seconds=arguments.seconds
        )
        (item,) = (one for one in report.measurements if one.name == "end_to_end.latency")
        groups = strata(report, item)
        medians.append(repeated.middle(item.values, groups))
        low, high = repeated.interval(item.values, strata=groups) or (medians[-1], medians[-1])
        doubts = [text for text in report.warnings if not text.startswith((STEADIER, "measured on this machine"))]
        warned += bool(doubts)
        print(f"run {number}: {medians[-1] * 1e3:.3f} ms ({low * 1e3:.3f} .. {high * 1e3:.3f}); {len(doubts)} warnings")
        for text in doubts:
            print(f"    {text}")
        kept.append({"median": medians[-1], "low": low, "high": high, "warnings": doubts})
    apart = max(medians) / min(medians) - 1.0
    print(f"medians apart: {apart:.1%}; runs that warn: {warned} of {arguments.runs}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"bundle": arguments.bundle.name, "apart": apart, "runs": kept}, indent=1))
    return 0 if apart <= 0.03 or warned else 1


if __name__ == "__main__":
    sys.exit(main())
