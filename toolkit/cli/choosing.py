"""The verbs `list` and `fit`: what there is, and what of it fits, as tables.

They are the first that a user types. So nothing is loaded here that only another verb needs.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.cli.terminal import say, show_json, show_table
from edgekit.core import Fit, Speed

_NONE = "-"
#: Columns that every terminal has.
_WIDTH = 100


def asked_runtime(arguments: argparse.Namespace) -> dict[str, str | None]:
    """``--runtime``, and its alias, which is told of."""
    if arguments.exporter:
        print("edgekit: --exporter is an alias of --runtime, and goes with the next release", file=sys.stderr)
    return {"runtime": arguments.runtime, "exporter": arguments.exporter}


def list_(arguments: argparse.Namespace) -> None:
    from edgekit import catalogue

    rooms = catalogue.list_(arguments.room)
    if arguments.json:
        show_json(rooms)
        return
    for room, entries in rooms.items():
        if entries:
            show_table(room, list(entries[0]), [list(entry.values()) for entry in entries])


def fit_(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from edgekit.cli.inspection import import_options
    from edgekit.estimation.budgets import BUDGETS, target_of_board
    from edgekit.estimation.fit import fit
    from edgekit.importers.resolved import model_of
    from edgekit.registry import names
    from edgekit.reports import cells

    chosen = arguments.target or (target_of_board(arguments.board) if arguments.board else None)
    budgets = {name: getattr(arguments, name) for name in BUDGETS}
    measured = cells.load(Path(arguments.measured)) if arguments.measured else None
    model = model_of(arguments.model, import_options(arguments))
    named: dict[str, Any] = asked_runtime(arguments)
    answers = [
        fit(model, target, arguments.precision, measured=measured, **named, **budgets)
        for target in ([chosen] if chosen else names("targets"))
    ]
    if arguments.json:
        show_json([asdict(answer) for answer in answers])
    else:
        _show(answers)
    return 0 if all(answer.verdict == "fits" for answer in answers) else 6


def _show(answers: Sequence[Fit]) -> None:
    """Print the answers of `fit` for a model on one or more targets."""
    rows = [_row(answer) for answer in answers]
    columns = ["target", "recipe", "verdict", "download", "peak RAM", "speed"]
    show_table(f"{answers[0].model}: estimated, before any download", columns, rows)
    for line in (*textwrap.wrap(answers[0].note, _WIDTH), *_notes(answers, len(answers) == 1)):
        say(line)


def _row(answer: Fit) -> list[str]:
    from edgekit.common.figures import NOT_MEASURED, figure

    if answer.recipe is None:
        return [answer.target, _NONE, answer.verdict, _NONE, _NONE, _NONE]
    recipe = f"{answer.recipe.runtime} {answer.recipe.precision}"
    speed = _speed(answer.speed[0]) if answer.speed else NOT_MEASURED
    return [answer.target, recipe, answer.verdict, figure(answer.size, "B"), figure(answer.ram, "B"), speed]


def _speed(speed: Speed) -> str:
    from edgekit.common.figures import figure

    between = f"{figure(speed.low, speed.unit)} to {figure(speed.high, speed.unit)}"
    if speed.value is None:
        return between
    if speed.unit == "tokens/s":
        return f"{speed.value:.3g} tokens/s ({speed.low:.3g} to {speed.high:.3g})"
    if speed.unit == "1":
        return f"RTF {speed.value:.2g} ({speed.low:.2g} to {speed.high:.2g})"
    return f"{figure(speed.value, speed.unit)} ({between})"


def _notes(answers: Sequence[Fit], alone: bool) -> list[str]:
    """A line per reason, with the targets that it holds for."""
    targets_of: dict[str, list[str]] = {}
    for answer in answers:
        for line in _reasons(answer, alone):
            targets_of.setdefault(line, []).append(answer.target)
    whole = [f"{', '.join(targets)}: {line}" for line, targets in targets_of.items()]
    return [line for text in whole for line in textwrap.wrap(text, _WIDTH, subsequent_indent="    ")]


def _reasons(answer: Fit, alone: bool) -> list[str]:
    """The reasons and notes of an answer. alone: it is the only answer, so that its budgets are shown, too."""
    from edgekit.common.figures import figure

    lines = [answer.reason] if answer.verdict != "fits" else []
    lines += [f"what fits: {answer.nearest}"] if answer.nearest else []
    if answer.recipe is None:
        return lines
    budgets = ", ".join(f"{name} {figure(size, 'B')}" for name, size in answer.budgets.items())
    lines += [f"budgets: {budgets}"] if budgets and alone else []
    over = answer.size is not None and answer.size > answer.budgets.get("download", answer.size)
    lines += [answer.store] if answer.store and (over or alone) else []
    if answer.verdict != "fits":
        return lines
    more = "".join(f"; {speed.name} {_speed(speed)}" for speed in answer.speed[1:])
    lines += [f"speed: {answer.unknown or answer.speed[0].basis}{more}"]
    structural = [name for name, fidelity in answer.fidelity.items() if fidelity == "structural"]
    lines += [f"{' and '.join(structural)}: structural, no bundle of this kind was measured"] if structural else []
    return lines
