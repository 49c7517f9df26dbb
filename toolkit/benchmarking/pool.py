"""Measure bundles on a pool of machines (`edgekit.pool.client`).

A cell goes to a worker that has its device, and a machine measures a single cell at a time.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.bench.processes.answers import Answer, failure
from edgekit.benchmarking.benchmark import benchmark
from edgekit.benchmarking.emulated import on_device
from edgekit.benchmarking.hosted import HOST, VERSIONS, Limits, own_target, prepare, whole
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import NAME
from edgekit.common.files import hash_file
from edgekit.core import Bundle, Facts, Report
from edgekit.errors import DeviceFailed, EdgekitError
from edgekit.pool import client, parcels


class Task(NamedTuple):
    """A cell to measure: its device, bundle, inputs and settings."""

    device: str
    bundle: Bundle
    inputs: tuple[str, ...]
    threads: int
    processes: int
    limits: Limits

    def worker_task(self) -> client.Task:
        """What a worker does: the bundle and its inputs travel."""
        files = [parcels.parcel(path) for path in (self.bundle.path, *map(Path, self.inputs))]
        spec = msgspec.to_builtins(Spec(self.device, files, self.threads, self.processes, self.limits))
        return client.Task(self.device, there, spec, functools.partial(parcels.pack_parcels, files))


class Spec(msgspec.Struct):
    """A cell as its worker gets it; `files` are the bundle and its inputs."""

    device: str
    files: list[parcels.Parcel]
    threads: int
    processes: int
    limits: Limits


class Measured(msgspec.Struct):
    """What a worker made of a cell: a device's `report`, or the `answers` of its processes.

    Attributes:
        worker: names the machine, "" for none. load, machine, versions: see `edgekit.benchmarking.hosted.build_report`.
    """

    worker: str
    answers: list[Answer] = []
    load: float | None = None
    machine: dict[str, Any] = {}
    versions: dict[str, str] = {}
    report: Report | None = None


def digest(task: Task) -> str:
    """Hash of all that decides the result, except the machine."""
    inputs = [hash_file(Path(name)) for name in task.inputs]
    facts = (task.device, hash_file(task.bundle.path / NAME), inputs, task.threads, task.processes, *task.limits)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def measure(workers: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Measured]]:
    """Measure on the pool at ``dask://HOST:PORT``; yields (index of the task, answer) as they finish.

    Raises:
        BadInput: no such address. MissingExtra: Dask is not installed. DeviceFailed: the scheduler cannot be reached,
            or vanished, or all workers did.
    """
    with client.connect_pool(workers) as pool:
        offered = pool.devices()
        missing = [at for at, task in enumerate(tasks) if task.device not in offered]
        for at in missing:
            device = tasks[at].device
            why = f"no worker of the pool has the device {device!r}."
            yield at, Measured("", [failure("not measured", why, client.offer(device))])
        sent = ((at, task.worker_task()) for at, task in enumerate(tasks) if at not in missing)
        with client.Batch(pool, sent) as batch:
            for at, answer in batch.results():
                try:
                    yield at, msgspec.convert(answer, Measured)
                except msgspec.ValidationError as exc:  # of a worker that died, or has another edgekit
                    why = f"the pool's worker could not measure it: {answer.get('lost', exc)}"
                    yield at, Measured("", [failure("failed", why, "")])


# ------------------------------------------------------------------------------------------------- on the other machine


def there(asked: Facts, payload: bytes | None) -> Facts | None:
    """`Measured` of a `Spec` on this machine, both plain; None if its bundle is neither here nor in `payload`."""
    spec = msgspec.convert(asked, Spec)
    with client.alone():
        places = parcels.receive_parcels(spec.files, payload)
        if places is None:
            return None
        try:
            answer = _measure_bundle(places[0], [str(place) for place in places[1:]], spec)
        except EdgekitError as exc:
            answer = Measured("", [failure("failed", exc.message, exc.hint, type(exc).__name__)])
    answer.worker = client.own_address()
    plain: Facts = msgspec.to_builtins(answer)
    return plain


def _measure_bundle(place: Path, inputs: Sequence[str], spec: Spec) -> Measured:
    bundle = open_bundle(place)
    if spec.device != HOST:
        target = own_target(bundle)
        if target is None or target.measure is None:
            raise DeviceFailed(f"this edgekit cannot drive {spec.device}.", hint="Upgrade edgekit there.")
        return Measured("", report=on_device(bundle, target, (), None))
    if whole(bundle):
        how = {"threads": spec.threads, "processes": spec.processes, **spec.limits._asdict()}
        return Measured("", report=benchmark(place, inputs=inputs, device=HOST, contexts=(), **how))
    subject = prepare(bundle, inputs, spec.threads, spec.limits)
    load = host.load_average()
    (answers,) = run.in_turns([subject.setup], spec.processes)
    return Measured("", answers, load, host.describe(), host.versions(VERSIONS))
