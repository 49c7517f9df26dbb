"""How fast a model is expected to be: from its declared work and from what was measured before, never from a guess.

The past is an ordinary matrix of `edgekit bench`, measured on one machine that is described in it
(``toolkit/estimation/calibration.json``). A model that was measured there in the same format and precision is expected
to take what it took. Another one is expected to do its work at the rate that parts of the same kind had, and the band
is as wide as that rule was wrong for those that were measured, each left out in turn.

Nothing is expected of a phone unless somebody measured something on it (``measured``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgekit.bench.statistics import repeated
from edgekit.core import Fidelity, Model, Recipe, Report, Speed, Target, Work
from edgekit.estimation.lengths import seconds_of

if TYPE_CHECKING:
    from edgekit.reports.cells import Matrix

__all__ = ["REFERENCE", "Seen", "calibration", "expected", "fidelities", "past", "rate", "seen", "weighted_mean"]

#: What the machine of the calibration file is.
REFERENCE = "2-core x86-64 virtual machine with AVX-512 VNNI, 1 thread"
#: Seconds of a call that are not the products'; the least that a call was seen to take.
_CALL = 8e-6
#: The factor of the band where only one model was ever measured that shares the rate: assumed.
_ALONE = 3.0
#: The least factor of a band: neighbours on a machine, and its clock, move more than runs of one process differ.
_LEAST = 1.15
#: Kinds of a language model's work, whose call is a token.
_TOKENS = {"generation": "tg128", "prompt": "pp512"}


class Seen(NamedTuple):
    """One part as it was measured: seconds a call, the median and the middle 80 % of them."""

    model: str
    exporter: str
    precision: str
    work: Work
    seconds: float
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Multiply-accumulates (of generation: bytes) a second."""
        return _cost(self.work) / max(self.seconds - _call(self.work), 1e-7)


@cache
def calibration() -> Matrix:
    """The matrix that this edgekit brings."""
    from edgekit.reports import cells

    with resources.as_file(resources.files("edgekit.estimation").joinpath("calibration.json")) as file:
        return cells.load(Path(file))


def expected(
    model: Model, target: Target, recipe: Recipe, measured: Matrix | None = None
) -> tuple[tuple[Speed, ...], str]:
    """What is expected of `model` on `target`, and why nothing is where that is so.

    Args:
        measured: reports of a device of the target. What they hold of this model in this format and precision is taken
            as it is; else the reference machine's time by the ratio that their other models have.
    """
    works = tuple(model.costs.work(recipe)) if model.costs.work else ()
    if target.flash is not None:
        return _firmware(model, target)
    if not works:
        return (), "nothing of its work is declared"
    if measured is not None:
        return _elsewhere(model, target, recipe, works, measured)
    if target.device != "host":
        return (), "nothing was measured on a device of this target; give a report of one: --measured FILE"
    own = seen(calibration(), model, recipe, works)
    if own:
        return _told(model, own, f"measured on the reference machine ({REFERENCE})"), ""
    guessed = [rate(work, recipe.exporter, recipe.precision, model.name) for work in works]
    if any(one is None for one in guessed):
        return (), f"no part of this kind was measured as {recipe.exporter} {recipe.precision}"
    found = [_by_rate(model, recipe, work, *one) for work, one in zip(works, guessed, strict=True) if one]
    return _told(model, found, f"from rates of other models on the reference machine ({REFERENCE})"), ""


def seen(matrix: Matrix, model: Model, recipe: Recipe, works: Iterable[Work], target: str = "") -> list[Seen]:
    """Every part of `model` as `matrix` has it in this format and precision; empty unless all are there."""
    for cell in matrix.cells:
        names = (cell.model, cell.exporter, cell.precision)
        if cell.report is None or names != (model.name, recipe.exporter, recipe.precision):
            continue
        if target and cell.target != target:
            continue
        found = [_seen(cell.report, model.name, recipe, work) for work in works]
        if found and all(found):
            return [one for one in found if one]
    return []


def _seen(report: Report, model: str, recipe: Recipe, work: Work) -> Seen | None:
    name = _TOKENS.get(work.kind, f"part.{work.part}.latency")
    values = [value for one in report.measurements if one.name == name for value in repeated.pool(one.values)]
    values = sorted(1 / value if work.kind in _TOKENS else value for value in values if value > 0)
    if not values:
        return None
    low, high = (repeated.percentile(values, q) for q in (10, 90))
    return Seen(model, recipe.exporter, recipe.precision, work, repeated.median(values), low, high)


@cache
def past() -> tuple[Seen, ...]:
    """Every part that the calibration file holds, of models that say what their work is."""
    from edgekit.core import serving
    from edgekit.registry import find, names

    known, found = set(names("models")), []
    for cell in calibration().cells:
        if cell.report is None or cell.model not in known or cell.exporter == "c":
            continue
        recipe = Recipe(cell.exporter, cell.precision)
        model = serving(find("models", cell.model), cell.exporter)
        works = model.costs.work(recipe) if model.costs.work else ()
        found += [one for one in (_seen(cell.report, cell.model, recipe, work) for work in works) if one]
    return tuple(found)


def rate(work: Work, exporter: str, precision: str, without: str) -> tuple[float, float] | None:
    """The rate of work of this kind, and the factor by which it may be off; None where nothing alike was measured.

    Args:
        without: a model that is left out of it.
    """
    group = [
        one
        for one in past()
        if (one.work.kind, one.exporter) == (work.kind, exporter)
        and one.model != without
        # Generation reads weights, whose bytes know their precision; other work has kernels of its own for each.
        and (one.precision == precision or work.kind == "generation")
    ]
    if not group:
        return None
    mean = weighted_mean(one.rate for one in group)
    if len({one.model for one in group}) < 2:
        return mean, _ALONE
    off = []
    for one in group:
        others = [other.rate for other in group if other.model != one.model]
        off.append(abs(math.log(one.rate / weighted_mean(others))))
    return mean, max(_LEAST, math.exp(max(off)))


def weighted_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def _cost(work: Work) -> int:
    return work.reads if work.kind == "generation" else work.macs


def _call(work: Work) -> float:
    return 0.0 if work.kind in _TOKENS else _CALL


def _by_rate(model: Model, recipe: Recipe, work: Work, speed: float, factor: float) -> Seen:
    seconds = _cost(work) / speed + _call(work)
    return Seen(model.name, recipe.exporter, recipe.precision, work, seconds, seconds / factor, seconds * factor)


def _told(model: Model, parts: Sequence[Seen], basis: str, fidelity: Fidelity = "estimated") -> tuple[Speed, ...]:
    """The parts' times as what a person asks for."""
    if parts[0].work.kind in _TOKENS:
        return tuple(
            Speed(one.work.kind, "tokens/s", 1 / one.seconds, 1 / one.high, 1 / one.low, basis, fidelity)
            for one in parts
        )
    value, low, high = (
        sum(one.work.calls * getattr(one, which) for one in parts) for which in ("seconds", "low", "high")
    )
    low, high = min(low, value / _LEAST), max(high, value * _LEAST)
    found = (Speed("latency", "s", value, low, high, basis, fidelity),)
    length = seconds_of(model.task.golden)
    if not length:
        return found
    factor = Speed("real-time factor", "1", value / length, low / length, high / length, basis, fidelity)
    return (factor, *found)


def _elsewhere(
    model: Model, target: Target, recipe: Recipe, works: tuple[Work, ...], measured: Matrix
) -> tuple[tuple[Speed, ...], str]:
    """From reports of a device: its own time of this model, or the reference machine's by their ratio."""
    reports = [cell.report for cell in measured.cells if cell.report and cell.target == target.name]
    if not reports:
        return (), f"the report that was given holds nothing measured for {target.name}"
    if own := seen(measured, model, recipe, works, target.name):
        return _told(model, own, "measured on the device of the report", reports[0].fidelity), ""
    here, _ = expected(model, _HOST, recipe)
    ratios = _ratios(measured, target)
    if not here or not ratios:
        return (), "the report shares no model and format with the calibration file, so that no ratio is known"
    ratio = weighted_mean(ratios)
    spread = max(_ALONE if len(ratios) == 1 else _LEAST, *(math.exp(abs(math.log(one / ratio))) for one in ratios))
    basis = f"the reference machine's time by {ratio:.3g}, the ratio of {len(ratios)} parts in the report"
    return tuple(_scaled(one, ratio, spread, basis) for one in here), ""


def _scaled(speed: Speed, ratio: float, spread: float, basis: str) -> Speed:
    factor = 1 / ratio if speed.unit == "tokens/s" else ratio
    value = None if speed.value is None else speed.value * factor
    return Speed(speed.name, speed.unit, value, speed.low * factor / spread, speed.high * factor * spread, basis)


def _ratios(measured: Matrix, target: Target) -> list[float]:
    """How much longer a part takes there than on the reference machine, of every part that both have."""
    known = {(one.model, one.exporter, one.precision, one.work.part): one for one in past()}
    found = []
    for cell in measured.cells:
        if cell.report is None or cell.target != target.name:
            continue
        recipe = Recipe(cell.exporter, cell.precision)
        for (model, exporter, precision, _), one in known.items():
            if (model, exporter, precision) == (cell.model, cell.exporter, cell.precision):
                there = _seen(cell.report, model, recipe, one.work)
                found += [there.seconds / one.seconds] if there else []
    return found


#: The reference machine, as a target.
_HOST = Target("reference", "any", "any", {}, "host")


def _firmware(model: Model, target: Target) -> tuple[tuple[Speed, ...], str]:
    """A range of milliseconds on the target's boards, from exact counts of instructions in an emulator."""
    for cell in calibration().cells:
        if cell.report is None or (cell.model, cell.target, cell.exporter) != (model.name, target.name, "c"):
            continue
        values = {one.name: repeated.middle(one.values) for one in cell.report.measurements}
        count = values.get("network.instructions")
        if count is None or not target.boards:
            continue
        boards = target.boards.values()
        low = min(count * board.cycles[0] / board.clock for board in boards)
        high = max(count * board.cycles[1] / board.clock for board in boards)
        on = ", ".join(board.name for board in boards)
        basis = f"{count / 1e6:.3g} M instructions an inference, counted in an emulator; cycles assumed ({on})"
        return (Speed("latency", "s", None, low, high, basis),), ""
    return (), "its instructions were not counted on this processor"


def fidelities(model: Model, recipe: Recipe) -> Mapping[str, Fidelity]:
    """What the predicted size and RAM rest on: "estimated" where rules of its format were compared with measurements
    of its family, else "structural"."""
    families = _compared()
    known = (model.identity.family, recipe.exporter)
    size: Fidelity = "estimated" if known in families["size"] else "structural"
    ram: Fidelity = "estimated" if known in families["rss.peak"] else "structural"
    return {"size": size, "RAM": ram}


@cache
def _compared() -> dict[str, set[tuple[str, str]]]:
    """(family, exporter) of every cell with a size and with a peak of memory."""
    from edgekit.registry import find, names

    known = set(names("models"))
    found: dict[str, set[tuple[str, str]]] = {"size": set(), "rss.peak": set()}
    for cell in calibration().cells:
        if cell.report is None or cell.model not in known:
            continue
        one = (find("models", cell.model).identity.family, cell.exporter)
        found["size"].add(one)
        if any(item.name == "rss.peak" or item.name.startswith("footprint") for item in cell.report.measurements):
            found["rss.peak"].add(one)
    return found
