"""`matrix`: models x targets x precisions x threads, each exported and measured; a failed cell stops no other.

Every export and every measurement runs in a process of its own. Finished results are on disk at once, so
after an interruption the same command resumes. Processes of all cells take turns (`run.in_turns`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.bench.processes.answers import Answer
from edgekit.benchmarking import pool
from edgekit.benchmarking.benchmark import benchmark
from edgekit.benchmarking.emulated import on_device
from edgekit.benchmarking.exports import bundle_name, export_all
from edgekit.benchmarking.hosted import HOST, Subject, build_report, own_target, prepare, resolve_inputs, whole
from edgekit.benchmarking.plan import ALL, Plan, plan_cells
from edgekit.bundles.manifest import NAME
from edgekit.common.files import hash_file, write_whole
from edgekit.common.processors import usable_processors
from edgekit.core import Bundle, Progress, Report
from edgekit.errors import EdgekitError, boundary
from edgekit.reports import cells
from edgekit.reports.cells import Cell, Matrix

__all__ = ["ALL", "Plan", "matrix", "with_time_left"]

_Kept = TypeVar("_Kept")


def matrix(plan: Plan, work: Path, *, workers: str | None = None, progress: Progress | None = None) -> Matrix:
    """Export missing bundles and measure every cell.

    Args:
        work: folder for bundles and finished measurements. Bundles stay in it; measurements are removed once all of
            them are done, so that the next run measures anew.
        workers: ``dask://HOST:PORT`` of a pool; None: this machine.

    Raises:
        BadInput, UnknownName: the plan is wrong. DeviceFailed: the pool vanished; finished cells
            are kept, and the same command resumes.
    """
    tell: Progress = progress or (lambda what, done, total: None)
    plan = replace(plan, threads=plan.threads or (usable_processors(),))
    asked = plan_cells(plan)
    with boundary():
        work.mkdir(parents=True, exist_ok=True)
        exported = export_all(asked, plan, work, tell)
        ready = {cell: made for cell, made in exported.items() if isinstance(made, Bundle)}
        measured = (_measure_on_pool if workers else _here)(ready, plan, work / "cells", tell, workers or "")
        shutil.rmtree(work / "cells", ignore_errors=True)
    done = {
        cells.key(cell): cell for cell in (*measured, *(made for made in exported.values() if isinstance(made, Cell)))
    }
    shown = json.loads(json.dumps(asdict(plan) | {"limits": plan.limits._asdict(), "workers": workers or ""}))
    return Matrix(cells.SCHEMA, shown, tuple(done[cells.key(cell)] for cell in exported))


# ----------------------------------------------------------------------------------------------------- measuring here


def _here(ready: Mapping[Cell, Bundle], plan: Plan, kept: Path, tell: Progress, _workers: str) -> list[Cell]:
    """Cells of devices and language models one after the other, then the processes of all others in turns."""
    done = []
    wholes = [cell for cell in ready if cell.device != HOST or whole(ready[cell])]
    for number, cell in enumerate(wholes):
        tell(f"measuring {cells.label(cell)}", number, len(wholes))
        done.append(_finish(cell, lambda cell=cell: _measure_cell(cell, ready[cell], plan, kept)))  # type: ignore[misc]
    hosted = [cell for cell in ready if cell not in wholes]
    subjects = {
        cell: prepare(
            bundle := ready[cell], resolve_inputs(bundle, plan.inputs, plan.synthetic), cell.threads, plan.limits
        )
        for cell in hosted
    }
    for subject in subjects.values():
        run.check(subject.setup, plan.processes)
    folders = [kept / _folder(subject, plan) for subject in subjects.values()]
    load, session = host.load_average(), uuid.uuid4().hex

    def keep(cell: int, process: int, answer: Answer) -> None:
        write_whole(folders[cell] / f"{process}.json", msgspec.json.encode(answer))

    answers = run.in_turns(
        [subject.setup for subject in subjects.values()],
        plan.processes,
        known=lambda cell, process: _read_kept(folders[cell] / f"{process}.json", Answer),
        keep=keep,
        progress=with_time_left(tell, [cells.label(cell) for cell in hosted]),
    )
    for cell, group in zip(hosted, answers, strict=True):
        done.append(_from_answers(cell, subjects[cell], group, load, session))
    return done


def _measure_cell(cell: Cell, bundle: Bundle, plan: Plan, kept: Path) -> Report:
    """The report of a cell that is measured without turns, or the report that an interrupted run kept."""
    if cell.device == HOST:
        subject = prepare(bundle, resolve_inputs(bundle, plan.inputs, plan.synthetic), cell.threads, plan.limits)
        file = kept / f"{_folder(subject, plan)}.json"
    else:
        file = kept / f"{bundle_name(cell)}-{hash_file(bundle.path / NAME)[:16]}.json"
    if known := _read_kept(file, Report):
        return known
    if cell.device == HOST:
        report = benchmark(
            bundle.path,
            inputs=plan.inputs,
            threads=cell.threads,
            device=HOST,
            processes=plan.processes,
            **plan.limits._asdict(),
            synthetic=plan.synthetic,
            contexts=plan.contexts,
        )
    else:
        target = own_target(bundle)
        assert target is not None, "the cell has a device of its target's"
        report = on_device(bundle, target, (), None)
    write_whole(file, msgspec.json.encode(report))
    return report


def _finish(cell: Cell, measure: Callable[[], Report]) -> Cell:
    """The cell with its report, or with the error as its reason."""
    try:
        return replace(cell, outcome="measured", report=measure())
    except EdgekitError as exc:
        return replace(cell, outcome="failed", reason=exc.message, hint=exc.hint)
    except Exception as exc:  # code of a target, perhaps another package's
        return replace(cell, outcome="failed", reason=f"{type(exc).__name__}: {exc}")


def _from_answers(
    cell: Cell, subject: Subject, answers: Sequence[Answer], load: float | None, session: str, **where: Any
) -> Cell:
    if failure := answers[-1].failure:
        return replace(cell, outcome=failure.outcome, reason=failure.message, hint=failure.hint)
    return _finish(cell, lambda: build_report(subject, answers, load, session, **where))


def _folder(subject: Subject, plan: Plan) -> str:
    """A name that depends on all that decides the answers: results of another machine or plan are not reused."""
    machine = host.describe()
    facts = [
        hash_file(subject.bundle.path / NAME),
        [item["sha256"] for item in subject.inputs],
        (subject.setup.threads, plan.processes, *plan.limits, *plan.contexts),
        [machine[name] for name in host.IDENTITY],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _read_kept(file: Path, kind: type[_Kept]) -> _Kept | None:
    """What an interrupted run kept; None where it is not complete."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def with_time_left(tell: Progress, labels: Sequence[str]) -> Callable[[int, int, int, int], None]:
    """Progress per process, with the time left, estimated from earlier processes."""
    began = time.monotonic()

    def progress(cell: int, process: int, done: int, total: int) -> None:
        spent = time.monotonic() - began
        left = f", about {spent / done * (total - done) / 60:.0f} min left" if done and spent > 10 else ""
        tell(f"measuring {labels[cell]}: process {process + 1}; {done} of {total} done{left}", done, total)

    return progress


# ------------------------------------------------------------------------------------------------- measuring on a pool


def _measure_on_pool(ready: Mapping[Cell, Bundle], plan: Plan, kept: Path, tell: Progress, workers: str) -> list[Cell]:
    """Whole cells, each on a machine of the pool that has its device."""
    tasks = {
        cell: pool.Task(cell.device, bundle, _files(bundle, plan), cell.threads, plan.processes, plan.limits)
        for cell, bundle in ready.items()
    }
    files = {cell: kept / f"pool-{pool.digest(task)}.json" for cell, task in tasks.items()}
    answers = {cell: known for cell, file in files.items() if (known := _read_kept(file, pool.Measured))}
    missing = [cell for cell in tasks if cell not in answers]
    tell(f"measuring {len(missing)} cells on {workers}", 0, len(missing))
    for number, (at, answer) in enumerate(pool.measure(workers, [tasks[cell] for cell in missing]), 1):
        cell = missing[at]
        answers[cell] = answer
        write_whole(files[cell], msgspec.json.encode(answer))
        tell(f"measured {cells.label(cell)} on {answer.worker or workers}", number, len(missing))
    return [_from_pool(cell, tasks[cell], answers[cell]) for cell in tasks]


def _files(bundle: Bundle, plan: Plan) -> tuple[str, ...]:
    return tuple(str(Path(item).absolute()) for item in resolve_inputs(bundle, plan.inputs, plan.synthetic))


def _from_pool(cell: Cell, task: pool.Task, answer: pool.Measured) -> Cell:
    cell = replace(cell, worker=answer.worker)
    if answer.report:
        return replace(cell, outcome="measured", report=answer.report)
    subject = prepare(task.bundle, task.inputs, task.threads, task.limits)
    where = {"machine": answer.machine, "versions": answer.versions}
    return _from_answers(cell, subject, answer.answers, answer.load, "", **where)
