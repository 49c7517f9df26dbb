"""Time of a part in several ONNX bundles, in turns, as ratios to the first: how much a form of quantization gains.

    python tests/peers/compare_parts.py encoder FP32 INT8 [INT8 ...] --axis frames=1500 [--threads 1] [--turns 20]

Inputs are drawn at random (whole numbers are 0), with the lengths of axes that are given, others 1. The order changes
from turn to turn, and the first two are left out. Neighbours of a shared host only ever add time, so the smallest times
tell more there than the medians.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundles.bundle import open_bundle
from edgekit.core import TensorSpec
from edgekit.runtimes.onnxruntime.runner import OnnxRunner

_WARM = 2
#: Seconds before a work: threads of another runtime wait for their next work in a loop, and take a processor meanwhile.
_REST = 0.1


def drawn(specs: Sequence[TensorSpec], axes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    feeds: dict[str, NDArray[Any]] = {}
    for spec in specs:
        shape = [axis if isinstance(axis, int) else axes.get(axis, 1) for axis in spec.shape]
        floats = np.issubdtype(np.dtype(spec.dtype), np.floating)
        values = 0.3 * rng.standard_normal(shape) if floats else np.zeros(shape)
        feeds[spec.name] = values.astype(spec.dtype)
    return feeds


def turns(works: Sequence[Callable[[], object]], count: int) -> NDArray[np.float64]:
    """Seconds, [turns, works], each of the second of two calls in a row."""
    taken = np.zeros((count + _WARM, len(works)))
    for turn in range(count + _WARM):
        for i in range(len(works))[:: 1 if turn % 2 else -1]:
            time.sleep(_REST)
            works[i]()
            start = time.perf_counter()
            works[i]()
            taken[turn, i] = time.perf_counter() - start
    return taken[_WARM:]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("part")
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--axis", action="append", default=[], metavar="NAME=LENGTH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=20)
    given = parser.parse_args()
    axes = {name: int(length) for name, _, length in (axis.partition("=") for axis in given.axis)}
    files = [
        bundle.path / next(part.file for part in bundle.manifest.parts if part.name == given.part)
        for bundle in map(open_bundle, given.bundles)
    ]
    runners = [OnnxRunner(file, given.threads) for file in files]
    feeds = drawn(runners[0].inputs, axes)
    taken = turns([partial(runner, feeds) for runner in runners], given.turns)
    print(
        f"{given.part}, {given.threads} thread(s), {given.turns} turns; milliseconds, and shares of the first bundle's"
    )
    least = taken.min(axis=0)
    for bundle, own, smallest in zip(given.bundles, taken.T, least, strict=True):
        low, middle, high = np.percentile(own / taken[:, 0], [25, 50, 75])
        print(
            f"{bundle}: smallest {smallest * 1e3:.1f} ({smallest / least[0]:.3f}), median {np.median(own) * 1e3:.1f}; "
            f"median of the ratios {middle:.3f} (quartiles {low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
