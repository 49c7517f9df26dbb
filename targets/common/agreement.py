"""Whether a device's answers to calls are those of the fp32 reference and of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Facts, Feeds, fact_of
from edgekit.errors import ParityFailed
from edgekit.numerics.parity import chain_limit_of, relative_error, sample_outputs

#: By how a part computes (`arithmetic`), the largest difference from what this machine computes with the same version
#: of the runtime: relative root mean square, or steps (see `steps`; a little more than 1 for the rounding of its own
#: float arithmetic). In float what remains is the order of sums.
#: Integers with fixed ranges are the same everywhere but for a rounding. Where activations are quantized while running
#: ("running") there is no such limit: a processor's kernels cut them into blocks of their own, or not at all. There the
#: distance from fp32 decides, which may be `NEAR` times what it is here. So it is for "mixed" parts, which also may be
#: no further from this machine than this machine is from fp32, and at most `MIXED`: bytes that tip over tip others in
#: every layer behind them, until two roundings of one network differ nearly as much as either does from fp32.
LIMITS = {"fp32": 1e-4, "fp16": 1e-3, "static": 1.0001}
NEAR = 1.5
#: Twice what was measured (efficientnet-lite0, 2.4 %), and less than what a channel of 400 carries.
MIXED = 5e-2
#: Calls of a part that are compared.
_COMPARED = 8
#: A distance that is allowed in any case.
_LEAST = 5e-3

#: Forms of a layer whose activations are quantized with ranges that are computed while it runs; also with a number of
#: bits behind ("dynamic-5.25").
_RUNNING = {"blockwise", "dynamic", "rows", "int16", "four-bit", "table"}
#: Operators in float between quantized layers, whose last digit decides now and then to which byte a value is rounded.
_BETWEEN = {"BatchNormalization", "Erf", "Exp", "LayerNormalization", "Sigmoid", "Sqrt", "Tanh"}


def arithmetic(census: Facts, precision: str) -> str:
    """How a part computes, by what its census says: "fp32" or "fp16" (all in float), "static" (products of bytes with
    ranges that are fixed), "mixed" (the same, with layers or other arithmetic in float between them), "running" (with
    ranges that are computed while it runs), or else its precision.
    """
    layers = fact_of(census, "layers", dict, {})
    forms = {str(layer.get("form")) for layer in layers.values() if isinstance(layer, Mapping)}
    if precision != "int8":
        return precision
    operators = set(fact_of(census, "operators", dict, {}))
    if _RUNNING & {form.rstrip("-.0123456789") for form in forms} or "DynamicQuantizeLSTM" in operators:
        return "running"
    if "static" not in forms:
        return "fp32"
    return "mixed" if operators & _BETWEEN or "float" in forms else "static"


def compared_calls(count: int) -> list[int]:
    """Of so many calls of a part, those whose answers are compared: the first two, which fp32 answers are kept of, and
    others, evenly spaced."""
    spaced = (2 + i * (count - 3) // max(1, _COMPARED - 3) for i in range(_COMPARED - 2))
    return sorted({0, 1, *spaced} & set(range(count)))


def reference(file: Path) -> Feeds:
    """What fp32 computed; the caller has checked the file's hash."""
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def distances(part: str, there: Sequence[Feeds], here: Sequence[Feeds], golden: Feeds) -> dict[str, float]:
    """How far the answers `there` to a part's calls, from the first on, are from fp32 and from the answers `here`.

    Args:
        golden: as `reference` gives it.

    Returns:
        ``fp32`` and ``here`` (see `edgekit.numerics.parity.relative_error`), and ``steps`` (see `steps`) from here.
    """
    mine = {key.removeprefix(f"{part}/"): value for key, value in golden.items() if key.startswith(f"{part}/")}
    return {
        "fp32": relative_error([sample_outputs([({}, answer) for answer in there])], [mine]),
        "here": relative_error(there, here),
        "steps": steps(there, here),
    }


def check(part: str, processor: str, precision: str, off: Mapping[str, float], how: str, mine: float) -> None:
    """Raises ParityFailed where a part is further away than its precision, and its `arithmetic` `how`, explain.

    `mine`: how far this machine's answer is from fp32. No bound grows with the device's own distance (`off`): a kernel
    that is wrong would allow itself what it does.
    """
    bounds = [("fp32", "the fp32 reference", chain_limit_of(precision), precision)]
    if how in LIMITS:
        bounds.append(("steps" if how == "static" else "here", "this machine's answer", LIMITS[how], how))
    elif how == "mixed":
        why = f"bytes that tip over, where this machine is {mine:.2%} from fp32,"
        bounds.append(("here", "this machine's answer", max(_LEAST, min(MIXED, mine)), why))
    if how in ("mixed", "running"):
        nearer = f"the {mine:.2%} that this machine is"
        bounds.append(("fp32", "the fp32 reference", max(_LEAST, NEAR * mine), nearer))
    for key, what, limit, why in bounds:
        if not off[key] <= limit:
            far, most = (f"{error:.3g} steps" if key == "steps" else f"{error:.2%}" for error in (off[key], limit))
            raise ParityFailed(
                f"the part {part!r} is {far} away from {what} on {processor}; {why} explains {most}.",
                hint="Export with another --precision, and report the model: a kernel of the runtime is wrong there.",
            )


def steps(there: Sequence[Feeds], here: Sequence[Feeds]) -> float:
    """The largest difference of a value, in steps of an output: 1 for integers, else a 255th of what it spans (8 bits
    have 255 steps between their 256 values), or the step of its own that all its values are multiples of.

    Infinite for a value that differs from an output that is constant, and for shapes that differ.
    """
    most = 0.0
    for answer, expected in ((a[name], b[name]) for a, b in zip(there, here, strict=True) for name in b):
        if answer.shape != expected.shape:
            return float("inf")
        truth = expected.astype(np.float64)
        step = (
            1.0 if expected.dtype.kind in "iub" or not truth.size else max(float(np.ptp(truth)) / 255, _own_step(truth))
        )
        furthest = float(np.abs(answer.astype(np.float64) - truth).max(initial=0.0))
        most = max(most, furthest / step if step else float("inf") if furthest else 0.0)
    return most


def _own_step(values: Any) -> float:
    """The step of values that were integers before: the least difference of two, where all others are multiples of
    it; else 0. Three differences are needed: any two numbers are multiples of something."""
    apart = np.diff(np.unique(values))
    if len(apart) < 3:
        return 0.0
    multiples = apart / apart.min()
    return float(apart.min()) if np.abs(multiples - multiples.round()).max() < 1e-3 else 0.0
