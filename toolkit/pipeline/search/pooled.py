"""A search on a pool: each recipe is a task, tried by a worker, and its point is kept the moment it arrives.

The points are those that this machine alone would have measured, times aside: a recipe that proves hopeless while it is
tried is cancelled, and one that was measured although a smaller one passes is left out.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

import edgekit
from edgekit.bench.machine import host
from edgekit.core import Facts
from edgekit.errors import DeviceFailed
from edgekit.gate.frontier import Point
from edgekit.pipeline.job import Asked, Job
from edgekit.pipeline.reuse import read_with
from edgekit.pipeline.search import remote
from edgekit.pipeline.search.journal import Journal
from edgekit.pipeline.search.messages import Begin, Outcome, Spec, plain
from edgekit.pipeline.search.pruning import Search
from edgekit.pipeline.search.trials import key_of_trials
from edgekit.pipeline.tracing import Reference
from edgekit.pool import client, parcels

#: The device of every worker that measures, as for `edgekit bench`.
_HOST = "host"
#: What of the request stays here: where the result goes, and what a worker has of its own.
_KEPT = frozenset({"out", "force", "mirror", "limits", "workers", "progress"})
#: What of the request may name files.
_FILES = ("model", "weights", "adapter", "calibration", "data", "metric")


def check_pool(job: Job) -> None:
    """Raise DeviceFailed where `job` wants a pool that is not there, or has no worker; MissingExtra without Dask."""
    if job.asked.workers:
        with client.connect_pool(job.asked.workers) as pool:
            pool.require(_HOST)


def tried_on_pool(search: Search, reference: Reference, journal: Journal, asked: Asked) -> dict[str, Point]:
    """Recipe -> its point, of the recipes that may win and are not in `journal`, which keeps each as it arrives.

    A recipe that workers died of is a failed point, which the journal does not keep.

    Raises:
        BadInput: files of the request are too large to send. DeviceFailed: the pool vanished; a worker has another
            edgekit, or other tools, or lacks something; or another processor, and there is a limit of latency.
    """
    files = _parcels(search.run.job, asked)
    spec = _spec(search, reference, asked, files)
    trials = _Trials(search, journal, spec, [item.parcel for item in files.values()])
    with client.connect_pool(asked.workers or "") as pool:
        pool.require(_HOST)
        try:
            with client.Batch(pool, trials.tasks(), ahead=1) as batch:
                for name, answer in batch.results():
                    trials.keep(name, answer)
                    for other in trials.hopeless(batch.running):
                        batch.cancel(other)
                        pool.everywhere(remote.stop, trials.tickets[other])
        finally:
            pool.everywhere(remote.finish, spec.search)
    return trials.points


class _Trials:
    """The trials of a search: what is submitted, what has arrived, and what cannot win any more.

    Attributes:
        points: recipe -> point, of those that have arrived. tickets: recipe -> name of the trial, for its end.
    """

    def __init__(self, search: Search, journal: Journal, spec: Spec, files: Sequence[parcels.Parcel]) -> None:
        self._search, self._journal, self._spec, self._files = search, journal, spec, files
        self._known = {name: search.limits.judge_point(point) for name, point in journal.points.items()}
        self.points: dict[str, Point] = {}
        self.tickets: dict[str, str] = {}

    def tasks(self) -> Iterator[tuple[str, client.Task]]:
        """The next recipe that may win, as a task, until the time is over."""
        for name in self._search.recipes:
            if name in self._known or self.hopeless([name]):
                continue
            if self._search.over:
                return
            self._tell(f"trying {name} on the pool")
            self.tickets[name] = uuid.uuid4().hex
            spec = msgspec.structs.replace(self._spec, recipe=name, ticket=self.tickets[name])
            yield name, client.Task(_HOST, remote.there, plain(spec), partial(parcels.pack_parcels, self._files))

    def keep(self, name: str, answer: Facts) -> None:
        """Keep the point of `name`, at once. Raises DeviceFailed where the worker could not try at all."""
        outcome = msgspec.convert(answer, Outcome)
        self.points[name] = point = _point(name, outcome)
        if outcome.point is not None:
            self._journal.add(point)
        self._known[name] = self._search.limits.judge_point(point)
        where = f" on {outcome.worker}" if outcome.worker else ""
        self._tell(f"tried {name}{where}: {self._known[name].verdict_text}")

    def hopeless(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that cannot win, by what has arrived."""
        return [name for name in names if self._search.hopeless(name, self._known.values())]

    def _tell(self, what: str) -> None:
        self._search.run.tell(what, len(self._known), len(self._search.recipes))


def _point(name: str, outcome: Outcome) -> Point:
    """The point of a trial. Raises DeviceFailed where the worker could not try at all."""
    if outcome.point is not None:
        return outcome.point
    if outcome.lacking:
        raise DeviceFailed(
            f"a worker or the scheduler of the pool lacks this edgekit ({outcome.lacking} is not there).",
            hint=f'Install edgekit {edgekit.__version__} on every machine, from one wheel: pip install "WHEEL[pool]"',
        )
    if outcome.lost:
        return Point(name, "fail", f"no worker could try it: {outcome.lost}")
    raise DeviceFailed(
        f"the worker {outcome.worker} cannot try {name}: {outcome.message} What was measured is kept.",
        hint=outcome.hint,
    )


def _spec(search: Search, reference: Reference, asked: Asked, files: Mapping[str, _Named]) -> Spec:
    """All that a worker needs to do the trials of this search, but the recipe."""
    request = {field.name: getattr(asked, field.name) for field in fields(asked) if field.name not in _KEPT}
    machine = host.describe()
    return Spec(
        edgekit=edgekit.__version__,
        search=uuid.uuid4().hex,
        begin=Begin(
            request=request | {name: item.function for name, item in files.items()},
            key=key_of_trials(search.run),
            tools=search.run.job.tools(),
            judged=len(reference.samples.judged),
            size=search.size,
            hurried=bool(search.faster),
        ),
        files={name: item.parcel for name, item in files.items()},
        machine={name: machine[name] for name in host.IDENTITY},
        latency=search.limits.latency is not None,
        threads={name: os.environ[name] for name in remote.THREADS if name in os.environ},
    )


class _Named(NamedTuple):
    """Files that the request names, and what follows their path there: ":NAME" of a function, or ""."""

    parcel: parcels.Parcel
    function: str


def _parcels(job: Job, asked: Asked) -> dict[str, _Named]:
    """Field of the request -> the files of this machine that it names."""
    files = {}
    for name in _FILES:
        text = str(getattr(asked, name) or "")
        path, function = _split(text)
        if path is None or (name == "model" and not job.model.identity.importer):
            continue
        beside: list[Path] = []
        if path.is_file() and path.suffix == ".py":
            beside = list(path.parent.glob("*.py"))  # modules that it may import
        elif path.is_file() and name in ("model", "weights"):
            beside = [file for file in read_with(path, job.model.weights.assets) if file.parent == path.parent]
        files[name] = _Named(parcels.parcel(path, beside), function)
    return files


def _split(text: str) -> tuple[Path | None, str]:
    """The path of a text that names a file or folder here, and the ":NAME" behind it; None: it names none."""
    file, colon, function = text.rpartition(":")
    for path, rest in ((text, ""), (file, colon + function)):
        if path and Path(path).expanduser().exists():
            return Path(path).expanduser(), rest
    return None, ""
