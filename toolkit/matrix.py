"""`matrix`: models by targets by precisions by threads, each exported and measured; one bad cell costs no other.

An export and every measured process run in processes of their own. Everything that is finished is on disk at once, so
the same command goes on after an interruption where it stopped. Processes of all cells take turns (`run.turns`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from edgekit import cells, fitting
from edgekit._files import hash_file, write_whole
from edgekit.bench import host, run
from edgekit.benchmarking import HOST, Limits, Subject, on_device, own_target, prepare, reported
from edgekit.bundle import open_bundle, usable_processors
from edgekit.cells import Cell, Matrix
from edgekit.core import Bundle, Model, Progress, Report, Target
from edgekit.errors import BadInput, EdgekitError, OverBudget, Unsupported, boundary
from edgekit.manifest import NAME
from edgekit.registry import find

__all__ = ["Plan", "matrix"]


@dataclass(frozen=True)
class Plan:
    """What to measure: every combination.

    Attributes:
        precisions: empty: each target's default. threads: empty: all usable processors.
        inputs: files for every model; empty: each bundle's golden input.
        calibration: model -> folder, as for `export`; the key ``""`` serves every other model.
        weights: model -> the user's own checkpoint, likewise.
        patience: seconds for one export. limits: for one measured process.
    """

    models: tuple[str, ...]
    targets: tuple[str, ...]
    precisions: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    inputs: tuple[str, ...] = ()
    calibration: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    processes: int = 5
    patience: float = 3600.0
    limits: Limits = field(default_factory=Limits)


def matrix(plan: Plan, work: Path, *, workers: str | None = None, progress: Progress | None = None) -> Matrix:
    """Export what is missing and measure every cell.

    Args:
        work: folder for bundles and for what is finished. Bundles stay in it; measurements are removed once all of
            them are done, so that the next run measures anew.
        workers: ``dask://HOST:PORT`` of a pool; None measures here.

    Raises:
        BadInput, UnknownName: the plan makes no sense as a whole. DeviceFailed: the pool vanished; what was finished
            is kept, and the same command goes on.
    """
    tell: Progress = progress or (lambda what, done, total: None)
    plan = replace(plan, threads=plan.threads or (usable_processors(),))
    wanted = _wanted(plan)
    with boundary():
        work.mkdir(parents=True, exist_ok=True)
        exported = _export_all(wanted, plan, work, tell)
        ready = {cell: found for cell, found in exported.items() if isinstance(found, Bundle)}
        measured = (_pooled if workers else _here)(ready, plan, work / "cells", tell, workers or "")
        shutil.rmtree(work / "cells", ignore_errors=True)
    done = {
        cells.key(cell): cell
        for cell in (*measured, *(found for found in exported.values() if isinstance(found, Cell)))
    }
    shown = json.loads(json.dumps(asdict(plan) | {"limits": plan.limits._asdict(), "workers": workers or ""}))
    return Matrix(cells.SCHEMA, shown, tuple(done[cells.key(cell)] for cell in exported))


def _wanted(plan: Plan) -> list[Cell]:
    """All cells, in order; those that cannot be are "refused" already."""
    if not plan.models or not plan.targets:
        raise BadInput("the matrix is empty: it has no models or no targets.", hint="Give --models A,B --targets X,Y")
    if plan.processes < 1 or min(plan.threads) < 1:
        raise BadInput("processes and threads must be at least 1.")
    for name in plan.inputs:
        if not Path(name).is_file():
            raise BadInput(f"there is no input file {name!r}.")
    found = {}
    combinations = itertools.product(plan.models, plan.targets, plan.precisions or ("",), plan.threads)
    for model, target, precision, threads in combinations:
        cell = _declared(find("models", model), find("targets", target), precision, threads)
        found[cells.key(cell)] = cell
    return list(found.values())


def _declared(model: Model, target: Target, precision: str, threads: int) -> Cell:
    device = target.device if target.measure is not None and target.device else HOST
    count = threads if device == HOST else 1
    try:
        recipe = fitting.recipe_for(model, target, precision or None)
    except Unsupported as exc:
        return Cell(model.name, target.name, "", precision, count, device, "refused", exc.message, exc.hint)
    return Cell(model.name, target.name, recipe.exporter, recipe.precision, count, device, "not measured")


# ---------------------------------------------------------------------------------------------------------- exporting


def _export_all(wanted: Sequence[Cell], plan: Plan, work: Path, tell: Progress) -> dict[Cell, Bundle | Cell]:
    made: dict[str, Bundle | Cell] = {}
    found: dict[Cell, Bundle | Cell] = {}
    names = list(dict.fromkeys(_name(cell) for cell in wanted if cell.outcome != "refused"))
    for cell in wanted:
        if cell.outcome == "refused":
            found[cell] = cell
            continue
        name = _name(cell)
        if name not in made:
            tell(f"exporting {name}", names.index(name), len(names))
            made[name] = _export(cell, plan, work / "bundles" / name)
        came = made[name]
        found[cell] = came if isinstance(came, Bundle) else replace(came, threads=cell.threads)
    return found


def _name(cell: Cell) -> str:
    return f"{cell.model}-{cell.target}-{cell.exporter}-{cell.precision}"


def _export(cell: Cell, plan: Plan, out: Path) -> Bundle | Cell:
    """The bundle, made in a process of its own where it is not there already, or the cell with the reason why not."""
    options = [
        f"--target={cell.target}",
        f"--precision={cell.precision}",
        f"--exporter={cell.exporter}",
        f"--out={out}",
    ]
    for option in ("calibration", "weights"):
        given: Mapping[str, str] = getattr(plan, option)
        chosen = given.get(cell.model) or given.get("")
        options += [f"--{option}={chosen}"] if chosen else []
    command = [sys.executable, "-P", "-c", "from edgekit.cli import main; main()", "export", cell.model]
    try:
        done = subprocess.run(
            [*command, *options, "--no-fallback", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=plan.patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return replace(cell, outcome="hung", reason=f"the export took more than {plan.patience:g} s and was stopped.")
    if done.returncode < 0:
        return replace(cell, outcome="crashed", reason=f"the export was killed by signal {-done.returncode}.")
    try:
        if done.returncode == 0:
            return open_bundle(out)
        facts = json.loads(done.stdout)
        refused = facts["error"] in (Unsupported.__name__, OverBudget.__name__)
        return replace(cell, outcome="refused" if refused else "failed", reason=facts["message"], hint=facts["hint"])
    except EdgekitError as exc:
        return replace(cell, outcome="failed", reason=exc.message, hint=exc.hint)
    except (ValueError, KeyError, TypeError):
        hint = f"See why: edgekit export {cell.model} {' '.join(options)}"
        return replace(cell, outcome="failed", reason=f"the export ended with exit code {done.returncode}.", hint=hint)


# ----------------------------------------------------------------------------------------------------- measuring here


def _here(ready: Mapping[Cell, Bundle], plan: Plan, kept: Path, tell: Progress, _workers: str) -> list[Cell]:
    """Device cells one after the other, then the processes of all host cells in turns."""
    done = []
    devices = [cell for cell in ready if cell.device != HOST]
    for number, cell in enumerate(devices):
        tell(f"measuring {cells.label(cell)}", number, len(devices))
        done.append(_finish(cell, lambda cell=cell: _emulated(cell, ready[cell], plan, kept)))  # type: ignore[misc]
    hosted = [cell for cell in ready if cell.device == HOST]
    subjects = {cell: prepare(ready[cell], plan.inputs, cell.threads, plan.limits) for cell in hosted}
    for subject in subjects.values():
        run.check(subject.setup, plan.processes)
    folders = [kept / _folder(subject, plan) for subject in subjects.values()]
    load, session = host.load_average(), uuid.uuid4().hex

    def keep(cell: int, process: int, answer: dict[str, Any]) -> None:
        write_whole(folders[cell] / f"{process}.json", msgspec.json.encode(answer))

    answers = run.in_turns(
        [subject.setup for subject in subjects.values()],
        plan.processes,
        known=lambda cell, process: _stored(folders[cell] / f"{process}.json"),
        keep=keep,
        progress=_with_time_left(tell, [cells.label(cell) for cell in hosted]),
    )
    for cell, found in zip(hosted, answers, strict=True):
        done.append(_from_answers(cell, subjects[cell], found, load, session))
    return done


def _emulated(cell: Cell, bundle: Bundle, plan: Plan, kept: Path) -> Report:
    file = kept / f"{_name(cell)}-{hash_file(bundle.path / NAME)[:16]}.json"
    known = _stored(file)
    if known is not None:
        return msgspec.convert(known, Report)
    target = own_target(bundle)
    assert target is not None, "the cell has a device of its target's"
    report = on_device(bundle, target, (), None)
    write_whole(file, msgspec.json.encode(report))
    return report


def _finish(cell: Cell, measure: Callable[[], Report]) -> Cell:
    """The cell with its report; whatever goes wrong is this cell's affair alone."""
    try:
        return replace(cell, outcome="measured", report=measure())
    except EdgekitError as exc:
        return replace(cell, outcome="failed", reason=exc.message, hint=exc.hint)
    except Exception as exc:  # code of a target, perhaps another package's
        return replace(cell, outcome="failed", reason=f"{type(exc).__name__}: {exc}")


def _from_answers(
    cell: Cell, subject: Subject, answers: Sequence[Mapping[str, Any]], load: float | None, session: str, **where: Any
) -> Cell:
    if "failure" in answers[-1]:
        failure = answers[-1]["failure"]
        return replace(cell, outcome=failure["outcome"], reason=failure["message"], hint=failure["hint"])
    return _finish(cell, lambda: reported(subject, answers, load, session, **where))


def _folder(subject: Subject, plan: Plan) -> str:
    """Named after all that decides the answers: what was measured on another machine or otherwise is not taken."""
    machine = host.describe()
    facts = [
        hash_file(subject.bundle.path / NAME),
        [item["sha256"] for item in subject.inputs],
        (subject.setup.threads, plan.processes, *plan.limits),
        [machine[name] for name in host.IDENTITY],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _stored(file: Path) -> dict[str, Any] | None:
    """What an interrupted run left; None where there is nothing, or nothing whole."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and ({"failure", "schema"} & set(found) or _whole(found)) else None


def _whole(answer: Mapping[str, Any]) -> bool:
    needed = {"values", "warmups", "outputs", "differing", "section", "peak", "exit"}
    return needed <= set(answer)


def _with_time_left(tell: Progress, labels: Sequence[str]) -> Callable[[int, int, int, int], None]:
    """Progress per process, with the time left from what the ones before took."""
    began = time.monotonic()

    def progress(cell: int, process: int, done: int, total: int) -> None:
        spent = time.monotonic() - began
        left = f", about {spent / done * (total - done) / 60:.0f} min left" if done and spent > 10 else ""
        tell(f"measuring {labels[cell]}: process {process + 1}; {done} of {total} done{left}", done, total)

    return progress


# ------------------------------------------------------------------------------------------------- measuring on a pool


def _pooled(ready: Mapping[Cell, Bundle], plan: Plan, kept: Path, tell: Progress, workers: str) -> list[Cell]:
    """Whole cells, each on one machine of the pool that has its device."""
    from edgekit import pool

    tasks = {
        cell: pool.Task(cell.device, bundle, plan.inputs, cell.threads, plan.processes, plan.limits)
        for cell, bundle in ready.items()
    }
    files = {cell: kept / f"pool-{pool.digest(task)}.json" for cell, task in tasks.items()}
    found = {cell: known for cell, file in files.items() if (known := _stored(file)) is not None}
    missing = [cell for cell in tasks if cell not in found]
    tell(f"measuring {len(missing)} cells on {workers}", 0, len(missing))
    for number, (at, answer) in enumerate(pool.measure(workers, [tasks[cell] for cell in missing]), 1):
        cell = missing[at]
        found[cell] = answer
        write_whole(files[cell], msgspec.json.encode(answer))
        tell(f"measured {cells.label(cell)} on {answer.get('worker', workers)}", number, len(missing))
    return [_from_pool(cell, tasks[cell], found[cell]) for cell in tasks]


def _from_pool(cell: Cell, task: Any, answer: Mapping[str, Any]) -> Cell:
    cell = replace(cell, worker=str(answer.get("worker", "")))
    if "failure" in answer:
        return _from_answers(cell, Subject(task.bundle, task.setup(), ()), [answer], None, "")
    if "report" in answer:
        return _finish(cell, lambda: msgspec.convert(answer["report"], Report))
    subject = prepare(task.bundle, task.inputs, task.threads, task.limits)
    where = {"machine": answer["machine"], "versions": answer["versions"]}
    return _from_answers(cell, subject, answer["answers"], answer["load"], "", **where)
