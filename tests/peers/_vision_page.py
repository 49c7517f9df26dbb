"""The page of compare_vision.py: accuracy and size, latency beside ours, and whether a peer is faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Weights of the network, which at one byte each would take so many bytes.
WEIGHTS = 4_652_008

#: A peer is faster if its median ratio to ours is below this: 3 % is what `edgekit compare` takes for a difference.
EQUAL = 0.97

#: Name -> milliseconds of every turn.
Latencies = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Accuracy:
    """A network's bytes on disk and the share of photos whose class it names."""

    name: str
    size: int
    top1: float


def best(spent: Latencies) -> str:
    """The name of our fastest int8 file, by the median."""
    mine = [name for name in spent if name.startswith("edgekit int8")]
    return min(mine, key=lambda name: float(np.median(spent[name])))


def ratios(spent: Latencies) -> dict[str, tuple[float, float, float]]:
    """Name -> tenth, half and nine tenths of the turns have a ratio to our best below these."""
    mine = spent[best(spent)]
    found = {}
    for name, values in spent.items():
        low, middle, high = np.quantile(values / mine, (0.1, 0.5, 0.9))
        found[name] = (float(low), float(middle), float(high))
    return found


def faster(spent: Latencies) -> dict[str, float]:
    """Peers whose median ratio to our best is below `EQUAL`, and that ratio."""
    return {n: m for n, (_, m, _) in ratios(spent).items() if not n.startswith("edgekit") and m < EQUAL}


def page(
    accuracies: Sequence[Accuracy], spent: Mapping[int, Latencies], versions: Mapping[str, str], photos: int, turns: int
) -> str:
    lines = [f"Top-1 on {photos} photos:", "", "| network | version | bytes | bytes per weight | top-1 |"]
    lines.append("|---|---|---|---|---|")
    for one in accuracies:
        per = one.size / WEIGHTS
        lines.append(f"| {one.name} | {versions[one.name]} | {one.size:,} | {per:.3f} | {one.top1:.2%} |")
    for threads, found in spent.items():
        mine = best(found)
        lines += ["", f"{threads} thread(s), {turns} turns; ours is {mine}:", ""]
        lines += ["| network | median, ms | least, ms | times ours (p10 .. p90) |", "|---|---|---|---|"]
        for name, (low, middle, high) in sorted(ratios(found).items(), key=lambda item: item[1][1]):
            values = found[name]
            spread = "1" if name == mine else f"{middle:.2f} ({low:.2f} .. {high:.2f})"
            lines.append(f"| {name} | {np.median(values):.2f} | {values.min():.2f} | {spread} |")
        ahead = faster(found)
        told = ", ".join(f"{name} takes {ratio:.2f} of our time" for name, ratio in ahead.items())
        lines += ["", f"A peer is faster: {told}." if ahead else f"No peer is faster by more than {1 - EQUAL:.0%}."]
    return "\n".join(lines) + "\n"
