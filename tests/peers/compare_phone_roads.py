"""onnx, LiteRT and ExecuTorch side by side, as phones get them: bytes, distance from fp32, the task's metric, latency.

    make phone-roads      or: python tests/peers/compare_phone_roads.py ../shared/data --bundles build/phone-roads

Exports what --bundles lacks (half an hour, once; the metrics are measured then), then calls every network in turns, all
formats of a part on the same inputs in one process: ratios are taken turn by turn, so that a noisy neighbour meets all.
A call is one through edgekit's runner, its Python included. Latency is of this host's processor, never of a phone's.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from _roads_bundles import SUBJECTS, Road, roads  # noqa: E402
from _roads_page import BASE, placed, table  # noqa: E402
from _roads_turns import Section, measured, recorded  # noqa: E402

#: Of the time that is given, what loading and warming up takes.
_LOADING = 0.15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of data folders")
    parser.add_argument(
        "--bundles", type=Path, default=Path("build/phone-roads"), help="made here, and taken from here"
    )
    parser.add_argument("--models", nargs="*", default=[one.model for one in SUBJECTS], help="only these")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--minutes", type=float, default=9.0, help="of measuring, in all; 0: only export")
    parser.add_argument("--markdown", type=Path, help="a page with the two marks, or a file for the table alone")
    parser.add_argument("--json", type=Path, help="raw times")
    given = parser.parse_args()
    given.bundles.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in SUBJECTS if one.model in given.models]
    found = [roads(one, given.shared, given.bundles) for one in chosen]
    sections = latencies(found, given.threads, given.minutes * 60) if given.minutes else {}
    text = table(found, sections, given.threads)
    print(text)
    if given.markdown:
        page = given.markdown.read_text(encoding="utf-8") if given.markdown.exists() else ""
        given.markdown.write_text(placed(page, text), encoding="utf-8")
    if given.json:
        raw = [
            {"model": one.model, "part": one.part, "threads": one.threads, "warnings": one.warnings}
            | {"seconds": {"-".join(key): values for key, values in one.spent.items()}}
            for one in sections.values()
        ]
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return 0


def latencies(models: list[list[Road]], threads: list[int], seconds: float) -> dict[tuple[str, str, int], Section]:
    """Every part of every model with every number of threads, `seconds` for all of them together."""
    feeds = {}
    for number, some in enumerate(models):
        there = [road for road in some if road.bundle]
        first = next((road for road in there if road.key == (BASE, "fp32")), None)
        feeds |= {(number, part): one for part, one in (recorded(first) if first else {}).items()}
    each = seconds * (1 - _LOADING) / max(1, len(feeds) * len(threads))
    sections = {}
    for count in threads:  # ExecuTorch has one pool of threads: all of one number before the next
        for (number, part), one in feeds.items():
            there = [road for road in models[number] if road.bundle]
            section = measured(there, part, one, count, each)
            sections[(section.model, part, count)] = section
    return sections


if __name__ == "__main__":
    sys.exit(main())
