"""The noise of a real machine, as small as the simulation of false alarms needs it.
(tests/toolkit/reports/test_false_alarms.py)

    edgekit bench BUNDLE --threads 1 --processes 40 --seconds 1 --out noise.json
    python tests/peers/record_noise.py noise.json "what, and on what machine" > tests/golden/latencies.json

Of each process it keeps 25 evenly spaced quantiles of the end-to-end latency, in whole microseconds: values of one
process are drawn from these, and processes from these processes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekit.bench.statistics import repeated
from edgekit.reports.report import load

QUANTILES = 25


def main() -> None:
    report = load(Path(sys.argv[1]))
    (item,) = (one for one in report.measurements if one.name == "end_to_end.latency")
    places = [100.0 * (at + 0.5) / QUANTILES for at in range(QUANTILES)]
    rows = [[round(1e6 * repeated.percentile(group, q)) for q in places] for group in item.values]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    print(f'{{"what": {json.dumps(sys.argv[2])},\n"microseconds": [\n{lines}]}}')


if __name__ == "__main__":
    main()
