"""A judge's side: what it is asked, and how it answers. numpy alone, for judges live in environments of their own.

A folder of a question holds question.json (model, form, part, file, sha256, precision, exporter, inputs, outputs) and
calls.npz: `in/CALL/NAME`, `out/CALL/NAME` (edgekit's own runtime on this machine, with that file) and `fp32/CALL/NAME`.
"""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class Question(NamedTuple):
    """A part of a bundle. `inputs`, `here` and `fp32` hold a mapping a call; `fp32` is empty where it is not known."""

    name: str
    facts: Mapping[str, Any]
    file: Path
    inputs: Sequence[Arrays]
    here: Sequence[Arrays]
    fp32: Sequence[Arrays]


def read(folder: Path) -> Question:
    facts = json.loads((folder / "question.json").read_bytes())
    found: dict[str, dict[int, dict[str, Any]]] = {"in": {}, "out": {}, "fp32": {}}
    with np.load(folder / "calls.npz") as arrays:
        for key in arrays.files:
            side, call, name = key.split("/", 2)
            found[side].setdefault(int(call), {})[name] = arrays[key]
    sides = [[calls[i] for i in sorted(calls)] for calls in found.values()]
    return Question("/".join(folder.parts[-3:]), facts, Path(facts["file"]), *sides)


def questions() -> Iterator[Question]:
    """Those whose folders this program was started with."""
    _answers()
    return (read(Path(name)) for name in sys.argv[1:])


@functools.cache
def _answers() -> TextIO:
    """What was the standard output. What a runtime prints goes to the errors from now on, and spoils no answer."""
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return mine


def distance(outputs: Sequence[Arrays], expected: Sequence[Arrays]) -> float:
    """Root mean square of the difference over that of `expected`, of the worst output of the worst call.

    The measure of `edgekit.numerics.parity.relative_error`, and infinite where it is: an output is absent, of another
    shape, or not finite.
    """
    worst = 0.0 if outputs and len(outputs) == len(expected) else math.inf
    for made, wanted in zip(outputs, expected, strict=False):
        for name, truth in wanted.items():
            if made.get(name) is None or made[name].shape != truth.shape:
                return math.inf
            there, here = made[name].astype(np.float64).ravel(), truth.astype(np.float64).ravel()
            if not (np.isfinite(there).all() and np.isfinite(here).all()):
                return math.inf
            worst = max(worst, float(np.linalg.norm(there - here)) / (float(np.linalg.norm(here)) or 1.0))
    return worst


def decibels(away: float) -> float | None:
    """The same as signal to noise: 20 % is 14 dB, 1 % is 40, 0.1 % is 60. None: equal."""
    return -20 * math.log10(away) if away else None


def tell(question: Question, version: str, outputs: Sequence[Arrays] = (), against: str = "here", **facts: str) -> None:
    """Print an answer: `outputs` beside what they are `against`; or facts alone, `reason` where there is no answer."""
    line: dict[str, Any] = {"question": question.name, "version": version, "reason": "", **facts}
    line["precision"] = question.facts["precision"]
    if outputs:
        away = distance(outputs, question.here if against == "here" else question.fp32)
        if math.isfinite(away):
            line |= {"distance": away, "dB": decibels(away), "against": against}
        else:
            line["reason"] = "it answers with other shapes, or with values that are not finite"
    if question.fp32:  # how far from fp32 the judge is, and edgekit's own runtime here: what rounding alone explains
        sides = {"fp32": distance(outputs, question.fp32), "here_fp32": distance(question.here, question.fp32)}
        line |= {key: away for key, away in sides.items() if math.isfinite(away)}
    print(json.dumps(line), file=_answers(), flush=True)


def answer(version: str, run: Callable[[Question], Sequence[Arrays]], own: str = "", largest: float = math.inf) -> None:
    """Ask `run` for the outputs of every question; what it raises is the reason why there are none.

    Args:
        own: the exporter whose bundles this runtime executes here anyway: beside itself it would prove nothing, so it
            is compared with fp32. largest: bytes of the largest file that it is asked about.
    """
    for question in questions():
        against = "fp32" if question.facts["exporter"] == own else "here"
        try:
            if against == "fp32" and not question.fp32:
                raise ValueError("its own file, and no float network with the same inputs to compare it with")
            if question.file.stat().st_size > largest:
                raise ValueError(f"left out: emulation is slow, and parts above {largest / 1e6:.0f} MB are not tried")
            tell(question, version, run(question), against)
        except Exception as exc:  # a runtime may raise anything
            said = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
            tell(question, version, reason=said[:240])


def called(runner: Callable[[Arrays], Arrays], question: Question) -> list[Arrays]:
    """What a runner of edgekit's gives for the calls, in order."""
    return [runner(feeds) for feeds in question.inputs]
