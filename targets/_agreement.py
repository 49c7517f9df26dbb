"""Whether a device's answers to calls are those of the fp32 reference and of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import ParityFailed
from edgekit.parity import CHAIN, limit_of, relative_error, sampled

__all__ = ["LIMITS", "check", "distances", "reference", "steps"]

#: Largest difference from what this machine computes with the same version of the runtime: what remains in float is the
#: order of sums. int8 has no such limit: where activations are quantized while running, Arm's kernels cut them into
#: other blocks, and are as near to fp32 or nearer. There the distance from fp32 alone decides.
LIMITS = {"fp32": 1e-4, "fp16": 1e-3}


def reference(file: Path) -> Mapping[str, Any]:
    """What fp32 computed; the caller has checked the file's hash."""
    import numpy as np

    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def distances(
    part: str, there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]], golden: Mapping[str, Any]
) -> dict[str, float]:
    """How far the answers `there` to a part's calls, from the first on, are from fp32 and from the answers `here`.

    Args:
        golden: as `reference` gives it.

    Returns:
        ``fp32`` and ``here`` (see `edgekit.parity.relative_error`), and ``steps`` (see `steps`) from here.
    """
    mine = {key.removeprefix(f"{part}/"): value for key, value in golden.items() if key.startswith(f"{part}/")}
    return {
        "fp32": relative_error([sampled([({}, answer) for answer in there])], [mine]),
        "here": relative_error(there, here),
        "steps": steps(there, here),
    }


def check(part: str, processor: str, precision: str, off: Mapping[str, float]) -> None:
    """Raises ParityFailed where a part is further away than its precision explains."""
    bounds = {"fp32": ("the fp32 reference", limit_of(precision) * CHAIN)}
    if precision in LIMITS:
        bounds["here"] = ("this machine's answer", LIMITS[precision])
    for key, (what, limit) in bounds.items():
        if not off[key] <= limit:
            raise ParityFailed(
                f"the part {part!r} is {off[key]:.2%} away from {what} on {processor}; "
                f"{precision} explains {limit:.2%}.",
                hint="Export with another --precision, and report the model: a kernel of the runtime is wrong there.",
            )


def steps(there: Sequence[Mapping[str, Any]], here: Sequence[Mapping[str, Any]]) -> float:
    """The largest difference of a value, in steps of an output: 1 for integers, else a 256th of what it spans.

    Infinite for a value that differs from an output that is constant, and for shapes that differ.
    """
    import numpy as np

    most = 0.0
    for given, expected in ((a[name], b[name]) for a, b in zip(there, here, strict=True) for name in b):
        if given.shape != expected.shape:
            return float("inf")
        truth = expected.astype(np.float64)
        step = 1.0 if expected.dtype.kind in "iub" else float(np.ptp(truth)) / 256 if truth.size else 1.0
        furthest = float(np.abs(given.astype(np.float64) - truth).max(initial=0.0))
        most = max(most, furthest / step if step else float("inf") if furthest else 0.0)
    return most
