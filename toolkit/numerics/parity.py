"""Parity: does an artefact compute what the fp32 reference computes, on real inputs?

A leaf that exporters may import too: the error that decides a layer's form is the error that the bundle is judged by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Feeds, Recipe, Runner, TensorSpec
from edgekit.numerics.narrow import narrow_bits
from edgekit.numerics.stored import StoredFeeds

Outputs: TypeAlias = "Mapping[str, NDArray[Any]]"

Item = TypeVar("Item")
#: No precision explains more, nor a chain of parts: an output of zeros is 1 away from any reference. Weights that have
#: nothing to do with it are further (SmolLM2 135M with its rows in another order or drawn anew: 1.2 to 1.3).
FURTHEST = 0.9

#: Largest relative error of a part's outputs that a precision explains. Above it something is broken, not rounded.
#: Those of GGUF are for a language model's logits; the gate tells finer. See docs/language-models.md for what was
#: measured.
LIMITS = {"fp32": 1e-3, "fp16": 2e-2, "int8": 0.25, "f32": 2e-2, "f16": 2e-2, "bf16": 5e-2, "q8_0": 0.1, "q6_k": 0.15}
#: A part of a quantized network that stays in float. Measured ones are tighter (`MEASURED`).
FLOAT_PART = "float part"
LIMITS[FLOAT_PART] = 2e-2
LIMITS |= dict.fromkeys(("q4_0", "iq4_xs", "iq4_nl", "q4_k_s"), 0.7)
LIMITS |= dict.fromkeys(("q3_k_l", "q3_k_m", "q3_k_s", "iq3_m", "iq3_s", "iq3_xs", "iq3_xxs", "q2_k", "q2_k_s"), 0.8)
LIMITS |= dict.fromkeys(("iq2_m", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s"), FURTHEST)

#: int8 in which some products have weights of 4 bits. In whisper-base's decoder they move the logits of a call by 10 to
#: 38 %, and leave 95 of 100 likeliest tokens as they are.
PARTLY_4_BITS = "int8, in part 4 bits"
LIMITS[PARTLY_4_BITS] = 0.5

#: Half precision, and all precisions in which nothing is quantized.
HALVES = ("fp16", "f16", "bf16")
FLOATS = ("fp32", "f32", *HALVES)

#: Errors add up along a chain of parts, where `LIMITS` bounds each part alone.
CHAIN = 2.0
#: A finished bundle, computed again on any machine: a part's error may be so many times what it was at the export.
_NEAR = 1.5
#: It may always be this: what another order of sums makes of a part in float (its error at the export is below
#: `_EXACT`), and of a quantized part, where a value on the edge may take the next step. In half precision: `LIMITS`.
_EXACT, _ROUNDING, _NEXT_STEP = 1e-4, 1e-3, 5e-3
#: What was measured over the catalogue, a line a runtime and precision; docs/site/limits.py measures it again. What has
#: no line has the limit of its precision.
MEASURED = Path(__file__).parent / "limits.tsv"

#: Values that are compared at once.
_BLOCK = 1 << 20

#: Values kept of an output in a golden file: enough to tell a wrong graph, small enough to ship.
_KEPT = 2048


def coarsest(precision: str, options: Facts) -> str:
    """The key of `LIMITS` for a recipe: `PARTLY_4_BITS` where its options ask for that, else its precision."""
    return PARTLY_4_BITS if narrow_bits(options) else precision


def part_precision(recipe: Recipe, quantize: bool) -> str:
    """The key of `LIMITS` for a part: `FLOAT_PART` where a quantized recipe leaves it in float (`Part.quantize`)."""
    floats = recipe.precision in FLOATS
    return coarsest(recipe.precision, recipe.options) if quantize or floats else FLOAT_PART


@cache
def measured_limits() -> Mapping[tuple[str, str], float]:
    """(runtime, precision) -> the largest error of a part that was found right, with half of it on top (`MEASURED`)."""
    rows = [line.split("\t") for line in MEASURED.read_text(encoding="utf-8").splitlines()[1:]]
    return {(runtime, precision): float(limit) for runtime, precision, *_, limit in rows}


def limit_of(precision: str, own: Mapping[str, float] = MappingProxyType({}), runtime: str = "") -> float:
    """The largest error of a part that `precision` explains in `runtime`; `own` are an exporter's limits. A precision
    that nobody knows counts as int8."""
    known = measured_limits().get((runtime, precision), LIMITS.get(precision, LIMITS["int8"]))
    return min(FURTHEST, own.get(precision, known))


def chain_limit_of(precision: str, own: Mapping[str, float] = MappingProxyType({}), runtime: str = "") -> float:
    """`limit_of` for a part that is fed by the parts before it, in the same precision."""
    return min(FURTHEST, CHAIN * limit_of(precision, own, runtime))


def repeat_limit(precision: str, known: float, most: float) -> float:
    """The largest error of a part of a finished bundle, on any machine.

    Args:
        known: its error when the bundle was made. most: what its precision explains (`chain_limit_of`).
    """
    rounding = LIMITS["fp16"] if precision in HALVES else _ROUNDING if known < _EXACT else _NEXT_STEP
    return min(most, max(_NEAR * known, rounding))


def limits_of(
    recipe: Any, parts: Iterable[str], known: Mapping[str, float], own: Mapping[str, float] = MappingProxyType({})
) -> dict[str, float]:
    """Part -> its largest error on the golden input, here and in any app: what its precision explains in its runtime,
    and no more than was measured when the bundle was made, but for rounding.

    Args:
        recipe: its `runtime`, `precision` and `options`. known: part -> what was measured. own: an exporter's limits.
    """
    precision = coarsest(recipe.precision, recipe.options)
    most = chain_limit_of(precision, own, recipe.runtime)
    return {part: repeat_limit(precision, known[part], most) if part in known else most for part in parts}


class Recorder(Runner):
    """A runner that remembers the calls made through it.

    Args:
        runner: what does the work. keep: how many calls to remember in full, the first ones.
        evenly: remember `keep` calls or up to twice as many, evenly spaced; of a runner with state, the first ones.
        store: gets the inputs of all calls that are remembered, too.

    Attributes:
        calls: inputs and outputs of those that are remembered in full.
    """

    def __init__(
        self, runner: Runner, keep: int = 1_000_000, *, evenly: bool = False, store: StoredFeeds | None = None
    ) -> None:
        self._store, self._whole = store, True
        self._runner, self._keep, self._made, self._step = runner, keep, 0, 1
        self._evenly = evenly and not runner.stateful
        if evenly and runner.stateful:
            self._keep = 64 * keep
        self.inputs: tuple[TensorSpec, ...] = runner.inputs
        self.outputs: tuple[TensorSpec, ...] = runner.outputs
        self.stateful, self.unable = runner.stateful, runner.unable
        self.calls: list[tuple[Feeds, Outputs]] = []

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        outputs = self._runner(feeds)
        if self._made % self._step == 0 and (self._evenly or len(self.calls) < self._keep) and self._keep:
            if self._whole:
                self.calls.append((dict(feeds), outputs))
            if self._store is not None:
                self._store.append(feeds)
        self._made += 1
        if self._evenly and len(self.calls) > 2 * self._keep > 0:
            self.calls, self._step = self.calls[::2], 2 * self._step
        return outputs

    def __getattr__(self, name: str) -> Any:
        """What else the runner can do (a language model's tokenizer and sampler) it does without us."""
        return getattr(self._runner, name)

    @property
    def feeds(self) -> Sequence[Feeds]:
        """The inputs of all calls that are remembered."""
        return [feeds for feeds, _ in self.calls] if self._store is None else self._store

    def keep_feeds(self) -> None:
        """Remember the inputs alone of calls to come, where there is a store for them."""
        self._whole = self._store is None

    def close(self) -> None:
        """Remember no more calls."""
        self._keep = 0
        if self._store is not None:
            self._store.close()

    def release(self) -> None:
        """Let go of the runner and its memory: from now on only the calls are wanted."""
        gone: Any = None
        self._runner = gone
        self.close()

    def reset(self) -> None:
        """Forget the runner's state. Only the first stream is remembered: its calls make sense from the start only."""
        self._runner.reset()
        if self.calls:
            self.close()


def relative_error(outputs: Sequence[Outputs], reference: Sequence[Outputs]) -> float:
    """Largest root mean square difference of an output, relative to that output's own root mean square.

    Infinite where an output is absent, the shapes differ or a value is not finite, on either side: a NaN must never
    compare as small, and neither must nothing at all.
    """
    errors = []
    for out, ref in zip(outputs, reference, strict=True):
        for name, expected in ref.items():
            actual = out.get(name)
            if actual is None or actual.shape != expected.shape:
                return float("inf")
            if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
                return float("inf")
            off, size = _norms(actual.reshape(-1), expected.reshape(-1))
            errors.append(off / (size or 1.0))
    return max(errors, default=float("inf"))


def decibels(error: float) -> float:
    """A relative error as signal to noise: 0.1 is 20 dB. What is equal has 200, what has no finite error -200."""
    return max(-200.0, -20 * math.log10(max(error, 1e-10))) if error < math.inf else -200.0


def _norms(actual: NDArray[Any], expected: NDArray[Any]) -> tuple[float, float]:
    """Norms of the difference and of `expected`, both [n].

    In double precision: squares of large float32 values overflow, and anything over infinity is 0. A block at a time:
    all logits of a language model's prompt would take a gigabyte so.
    """
    off = size = 0.0
    for start in range(0, len(expected), _BLOCK):
        truth = expected[start : start + _BLOCK].astype(np.float64)
        off += float(np.square(actual[start : start + _BLOCK] - truth).sum())
        size += float(np.square(truth).sum())
    return math.sqrt(off), math.sqrt(size)


def part_error(runner: Runner, calls: Sequence[tuple[Feeds, Outputs]], most: int = 8) -> float:
    """`relative_error` of `runner` over at most `most` of the recorded calls, first to last, on their inputs.

    One with state is given the calls as they came, from the start.
    """
    if runner.stateful:
        runner.reset()
        calls = calls[: 64 * most]
        return relative_error([runner(feeds) for feeds, _ in calls], [outputs for _, outputs in calls])
    chosen = spread(calls, most)
    return relative_error([runner(feeds) for feeds, _ in chosen], [outputs for _, outputs in chosen])


def spread(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most `most` of `items`, evenly spaced, the first and the last one among them."""
    last = len(items) - 1
    return [items[i * last // max(1, most - 1)] for i in range(most)] if last >= most else items


def sample_outputs(calls: Sequence[tuple[Feeds, Outputs]], count: int = 2) -> dict[str, NDArray[Any]]:
    """Evenly spaced values of the outputs of the first `count` calls: ``"CALL/OUTPUT" -> float32 [<= 2048]``."""
    out = {}
    for i, (_, outputs) in enumerate(calls[:count]):
        for name, value in outputs.items():
            flat = value.reshape(-1)
            out[f"{i}/{name}"] = flat[:: max(1, -(-flat.size // _KEPT))].astype(np.float32)
    return out
