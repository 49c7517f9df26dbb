"""A judge's side: what it is asked, and how it answers.

A folder of a question holds question.json (model, form, part, file, sha256, precision, exporter, inputs, outputs) and
calls.npz: `in/CALL/NAME`, `out/CALL/NAME` (edgekit's own runtime on this machine, with that file) and `fp32/CALL/NAME`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from frame import judges
from numpy.typing import NDArray

from edgekit.numerics.parity import relative_error

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


def write(folder: Path, facts: Mapping[str, Any], sides: Mapping[str, Sequence[Arrays]]) -> str:
    """Write a question that `read` reads, and return its folder."""
    named = [(side, i, call) for side, calls in sides.items() for i, call in enumerate(calls)]
    arrays = {f"{side}/{i}/{name}": value for side, i, call in named for name, value in call.items()}
    np.savez(folder / "calls.npz", allow_pickle=False, **arrays)
    digests = {"calls": digest(folder / "calls.npz"), "sha256": digest(Path(facts["file"]))}
    model, form, part = folder.parts[-3:]
    place = {"model": model, "form": form, "part": part}
    (folder / "question.json").write_text(json.dumps(place | {**facts} | digests, indent=1))
    return str(folder)


def digest(file: Path) -> str:
    """Of a file, or of all in a folder."""
    files = sorted(path for path in [file, *file.rglob("*")] if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def largest(calls: Sequence[Arrays]) -> list[int]:
    """The places of the most calls whose inputs have the same shapes; of two such groups, the later."""
    groups: dict[str, list[int]] = {}
    for place, feeds in enumerate(calls):
        groups.setdefault(str([(name, value.shape) for name, value in feeds.items()]), []).append(place)
    return max(reversed(groups.values()), key=len)


def of_one_shape(question: Question) -> Question:
    """Those calls of a question that `largest` names: for a judge whose graphs have fixed shapes."""
    places = largest(question.inputs)
    inputs, here, fp32 = ([side[i] for i in places if side] for side in question[3:])
    return question._replace(inputs=inputs, here=here, fp32=fp32)


def questions() -> Iterator[Question]:
    """Those whose folders this program was started with, behind the judge's name; with the calls that it computes."""
    _answers()
    (judge,) = (one for one in judges() if one.name == sys.argv[1])
    return (some_calls(read(Path(name)), judge.calls) for name in sys.argv[2:])


def some_calls(question: Question, most: int) -> Question:
    """So many calls of a question: 1 for the last, 2 for the first as well, which may begin in silence; 0 for all. A
    part with state needs all of them."""
    if not most or question.facts.get("stateful"):
        return question
    inputs, here, fp32 = ([*(side[:1] if len(side) > 1 < most else ()), *side[-1:]] for side in question[3:])
    return question._replace(inputs=inputs, here=here, fp32=fp32)


@functools.cache
def _answers() -> TextIO:
    """What was the standard output. What a runtime prints goes to the errors from now on, and spoils no answer."""
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return mine


def distance(outputs: Sequence[Arrays], expected: Sequence[Arrays]) -> float:
    """See `edgekit.numerics.parity.relative_error`; infinite, too, where calls are absent."""
    return relative_error(outputs, expected) if len(outputs) == len(expected) else math.inf


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
