"""The expected speed of a model, from its declared work and from past measurements.

Past measurements are a matrix of `edgekit bench`, made on the reference machine
(``toolkit/estimation/calibration.json``). A model measured there in the same format and precision is expected
to take the same time. Any other model is expected to work at the rate of parts of the same kind. Its error band
is as wide as the error of this rule on the measured models, each left out in turn.

For a phone there is no expectation without a measurement on it (``measured``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from edgekit.bench.statistics import repeated
from edgekit.core import Fidelity, Model, Recipe, Report, Speed, Target, Work
from edgekit.estimation.lengths import seconds_of
from edgekit.registry import find
from edgekit.reports.cells import Cell, Matrix
from edgekit.runtimes.resolved import recipe_of

#: The reference machine, on which the calibration file was measured.
REFERENCE = "2-core x86-64 virtual machine with AVX-512 VNNI, 1 thread"
#: Overhead of a call in seconds: the shortest measured call.
_CALL = 8e-6
#: Assumed factor of the band if only a single measured model has the rate.
_ALONE = 3.0
#: The smallest factor of a band: a machine's load and clock vary more than the runs of a process.
_LEAST = 1.15
#: Kinds of a language model's work, whose call is a token.
_TOKENS = {"generation": "tg128", "prompt": "pp512"}


class Seen(NamedTuple):
    """A measured part: seconds per call, their median and their middle 80 %."""

    model: str
    runtime: str
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
    """The past measurements that edgekit ships with."""
    from edgekit.reports import cells

    with resources.as_file(resources.files("edgekit.estimation").joinpath("calibration.json")) as file:
        return cells.load(Path(file))


def estimate_speeds(
    model: Model, target: Target, recipe: Recipe, measured: Matrix | None = None
) -> tuple[tuple[Speed, ...], str]:
    """The expected speeds of `model` on `target`; if there are none, why.

    Args:
        measured: reports of a device of the target. Their values for this model, format and precision are taken
            as they are; else the reference machine's time is scaled by the ratio of their other models.
    """
    works = tuple(work for work in model.costs.work(recipe) if work.calls) if model.costs.work else ()
    if target.flash is not None:
        return _firmware(model, target)
    if not works:
        return (), "nothing of its work is declared"
    if measured is not None:
        return _elsewhere(model, target, recipe, works, measured)
    if target.device != "host":
        return (), "nothing was measured on a device of this target; add a report: --measured FILE"
    own = find_measurements(calibration(), model, recipe, works)
    if own:
        return _speeds(model, own, f"measured on the reference machine ({REFERENCE})"), ""
    rates = [rate(work, recipe.runtime, recipe.precision, model.name) for work in works]
    if any(pair is None for pair in rates):
        return (), f"no part of this kind was measured as {recipe.runtime} {recipe.precision}"
    parts = [_by_rate(model, recipe, work, *pair) for work, pair in zip(works, rates, strict=True) if pair]
    return _speeds(model, parts, f"from rates of other models on the reference machine ({REFERENCE})"), ""


def find_measurements(
    matrix: Matrix, model: Model, recipe: Recipe, works: Iterable[Work], target: str = ""
) -> list[Seen]:
    """The measured parts of `model` in `matrix`, in this format and precision; empty unless it has all of them."""
    for cell in matrix.cells:
        names = (cell.model, cell.runtime, cell.precision)
        if cell.report is None or names != (model.name, recipe.runtime, recipe.precision):
            continue
        if target and cell.target != target:
            continue
        parts = [_find_measurement(cell.report, model.name, recipe, work) for work in works]
        if parts and all(parts):
            return [part for part in parts if part]
    return []


def _find_measurement(report: Report, model: str, recipe: Recipe, work: Work) -> Seen | None:
    name = _TOKENS.get(work.kind, f"part.{work.part}.latency")
    values = [value for item in report.measurements if item.name == name for value in repeated.pool(item.values)]
    values = sorted(1 / value if work.kind in _TOKENS else value for value in values if value > 0)
    if not values:
        return None
    low, high = (repeated.percentile(values, q) for q in (10, 90))
    return Seen(model, recipe.runtime, recipe.precision, work, repeated.median(values), low, high)


def _is_emulated(cell: Cell) -> bool:
    """Whether a cell's runtime counts instructions here and takes no times."""
    return find("runtimes", cell.runtime).runs == "emulated"


@cache
def past() -> tuple[Seen, ...]:
    """All parts of the calibration file, of models that declare their work."""
    from edgekit.registry import names, serving

    known, parts = set(names("models")), []
    for cell in calibration().cells:
        if cell.report is None or cell.model not in known or _is_emulated(cell):
            continue
        recipe = recipe_of(cell.runtime, cell.precision)
        model = serving(find("models", cell.model), recipe.exporter)
        works = model.costs.work(recipe) if model.costs.work else ()
        parts += [part for part in (_find_measurement(cell.report, cell.model, recipe, work) for work in works) if part]
    return tuple(parts)


def rate(work: Work, runtime: str, precision: str, without: str) -> tuple[float, float] | None:
    """The rate of work of this kind, and the factor of its error band; None without a measurement of this kind.

    Args:
        without: a model that is left out.
    """
    group = [
        part
        for part in past()
        if (part.work.kind, part.runtime) == (work.kind, runtime)
        and part.model != without
        # Generation reads weights, whose bytes know their precision; other work has kernels of its own for each.
        and (part.precision == precision or work.kind == "generation")
    ]
    if not group:
        return None
    mean = weighted_mean(part.rate for part in group)
    if len({part.model for part in group}) < 2:
        return mean, _ALONE
    off = []
    for part in group:
        others = [other.rate for other in group if other.model != part.model]
        off.append(abs(math.log(part.rate / weighted_mean(others))))
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
    return Seen(model.name, recipe.runtime, recipe.precision, work, seconds, seconds / factor, seconds * factor)


def _speeds(model: Model, parts: Sequence[Seen], basis: str, fidelity: Fidelity = "estimated") -> tuple[Speed, ...]:
    """The parts' times as tokens/s, or as latency and real-time factor of the whole model."""
    if parts[0].work.kind in _TOKENS:
        return tuple(
            Speed(part.work.kind, "tokens/s", 1 / part.seconds, 1 / part.high, 1 / part.low, basis, fidelity)
            for part in parts
        )
    value, low, high = (
        sum(part.work.calls * getattr(part, which) for part in parts) for which in ("seconds", "low", "high")
    )
    low, high = min(low, value / _LEAST), max(high, value * _LEAST)
    latency = (Speed("latency", "s", value, low, high, basis, fidelity),)
    length = seconds_of(model.task.golden)
    if not length:
        return latency
    factor = Speed("real-time factor", "1", value / length, low / length, high / length, basis, fidelity)
    return (factor, *latency)


def _elsewhere(
    model: Model, target: Target, recipe: Recipe, works: tuple[Work, ...], measured: Matrix
) -> tuple[tuple[Speed, ...], str]:
    """From reports of a device: its own time of this model, or the reference machine's time scaled by their ratio."""
    reports = [cell.report for cell in measured.cells if cell.report and cell.target == target.name]
    if not reports:
        return (), f"the report has no measurements for {target.name}"
    if own := find_measurements(measured, model, recipe, works, target.name):
        return _speeds(model, own, "measured on the device of the report", reports[0].fidelity), ""
    here, _ = estimate_speeds(model, _HOST, recipe)
    ratios = _ratios(measured, target)
    if not here or not ratios:
        return (), "the report shares no model and format with the calibration file, so that no ratio is known"
    ratio = weighted_mean(ratios)
    spread = max(_ALONE if len(ratios) == 1 else _LEAST, *(math.exp(abs(math.log(r / ratio))) for r in ratios))
    basis = f"the reference machine's time by {ratio:.3g}, the ratio of {len(ratios)} parts in the report"
    return tuple(_scale_speed(speed, ratio, spread, basis) for speed in here), ""


def _scale_speed(speed: Speed, ratio: float, spread: float, basis: str) -> Speed:
    factor = 1 / ratio if speed.unit == "tokens/s" else ratio
    value = None if speed.value is None else speed.value * factor
    return Speed(speed.name, speed.unit, value, speed.low * factor / spread, speed.high * factor * spread, basis)


def _ratios(measured: Matrix, target: Target) -> list[float]:
    """Time on the device / time on the reference machine, for every part that both have measured."""
    known = {(part.model, part.runtime, part.precision, part.work.part): part for part in past()}
    ratios = []
    for cell in measured.cells:
        if cell.report is None or cell.target != target.name:
            continue
        recipe = recipe_of(cell.runtime, cell.precision)
        for (model, runtime, precision, _), part in known.items():
            if (model, runtime, precision) == (cell.model, cell.runtime, cell.precision):
                there = _find_measurement(cell.report, model, recipe, part.work)
                ratios += [there.seconds / part.seconds] if there else []
    return ratios


#: The reference machine, as a target.
_HOST = Target("reference", "any", "any", {}, "host")


def _firmware(model: Model, target: Target) -> tuple[tuple[Speed, ...], str]:
    """A range of milliseconds on the target's boards, from exact counts of instructions in an emulator."""
    for cell in calibration().cells:
        if cell.report is None or (cell.model, cell.target) != (model.name, target.name) or not _is_emulated(cell):
            continue
        values = {item.name: repeated.middle(item.values) for item in cell.report.measurements}
        count = values.get("network.instructions")
        if count is None:
            continue
        times = {name: time for name, board in target.boards.items() if (time := board.seconds(count)) is not None}
        if not times:
            continue
        low, high = min(low for low, _ in times.values()), max(high for _, high in times.values())
        on = ", ".join(times)
        basis = f"{count / 1e6:.3g} M instructions an inference, counted in an emulator; cycles assumed ({on})"
        return (Speed("latency", "s", None, low, high, basis),), ""
    return (), "its instructions were not counted on this processor"


def fidelities(model: Model, recipe: Recipe) -> Mapping[str, Fidelity]:
    """Fidelity of the predicted size and RAM: "estimated" if the rules of its format were compared with measurements
    of its family, else "structural"."""
    families = _families_by_quantity()
    known = (model.identity.family, recipe.runtime)
    size: Fidelity = "estimated" if known in families["size"] else "structural"
    ram: Fidelity = "estimated" if known in families["rss.peak"] else "structural"
    return {"size": size, "RAM": ram}


@cache
def _families_by_quantity() -> dict[str, set[tuple[str, str]]]:
    """Quantity -> (family, runtime) of the past cells that measured it: the size, the peak memory."""
    from edgekit.registry import names

    known = set(names("models"))
    families: dict[str, set[tuple[str, str]]] = {"size": set(), "rss.peak": set()}
    for cell in calibration().cells:
        if cell.report is None or cell.model not in known:
            continue
        family = (find("models", cell.model).identity.family, cell.runtime)
        families["size"].add(family)
        if any(item.name == "rss.peak" or item.name.startswith("footprint") for item in cell.report.measurements):
            families["rss.peak"].add(family)
    return families
