"""Measure bundles on a pool of machines (`edgekit.pool.client`).

A cell goes to a worker that has its device, and a machine measures a single cell at a time.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.bench.machine import host
from edgekit.bench.processes import run
from edgekit.benchmarking.benchmark import benchmark
from edgekit.benchmarking.emulated import on_device
from edgekit.benchmarking.hosted import HOST, VERSIONS, Limits, own_target, prepare, whole
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.manifest import NAME
from edgekit.common.files import hash_file
from edgekit.core import Bundle
from edgekit.errors import DeviceFailed, EdgekitError
from edgekit.pool import client, parcels

__all__ = ["Task", "digest", "measure", "there"]


class Task(NamedTuple):
    """A cell to measure: its device, bundle, inputs and settings."""

    device: str
    bundle: Bundle
    inputs: tuple[str, ...]
    threads: int
    processes: int
    limits: Limits

    def setup(self) -> run.Setup:
        return prepare(self.bundle, self.inputs, self.threads, self.limits).setup

    def worker_task(self) -> client.Task:
        """What a worker does: the bundle and its inputs travel."""
        files = [parcels.parcel(path) for path in (self.bundle.path, *map(Path, self.inputs))]
        spec = {
            "device": self.device,
            "files": [tuple(item) for item in files],
            "threads": self.threads,
            "processes": self.processes,
            "limits": list(self.limits),
        }
        return client.Task(self.device, there, spec, functools.partial(parcels.pack_parcels, files))


def digest(task: Task) -> str:
    """Hash of all that decides the result, except the machine."""
    inputs = [hash_file(Path(name)) for name in task.inputs]
    facts = (task.device, hash_file(task.bundle.path / NAME), inputs, task.threads, task.processes, *task.limits)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def measure(workers: str, tasks: Sequence[Task]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Measure on the pool at ``dask://HOST:PORT``; yields (index of the task, answer) as they finish.

    An answer has ``answers`` of the processes (`edgekit.bench.processes.child.once`), ``load``, ``machine`` and
    ``versions``; or a ``report`` of a device; or a ``failure``. ``worker`` names the machine.

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
            yield at, _failure("not measured", why, client.offer(device))
        sent = ((at, task.worker_task()) for at, task in enumerate(tasks) if at not in missing)
        with client.Batch(pool, sent) as batch:
            for at, answer in batch.results():
                if "lost" in answer:
                    answer = _failure("failed", f"the pool's worker could not measure it: {answer['lost']}", "")
                yield at, answer


def _failure(outcome: str, message: str, hint: str) -> dict[str, Any]:
    return {"failure": {"outcome": outcome, "message": message, "type": "DeviceFailed", "hint": hint}}


# ------------------------------------------------------------------------------------------------- on the other machine


def there(spec: Mapping[str, Any], payload: bytes | None) -> dict[str, Any] | None:
    """Measure the bundle of `spec` on this machine; None if it is neither here nor in `payload`."""
    with client.alone():
        places = parcels.receive_parcels([parcels.Parcel(*item) for item in spec["files"]], payload)
        if places is None:
            return None
        try:
            answer = _measure_bundle(places[0], [str(place) for place in places[1:]], spec)
        except EdgekitError as exc:
            failure = {"outcome": "failed", "message": exc.message, "type": type(exc).__name__, "hint": exc.hint}
            answer = {"failure": failure}
    return answer | {"worker": client.own_address()}


def _measure_bundle(place: Path, inputs: Sequence[str], spec: Mapping[str, Any]) -> dict[str, Any]:
    import msgspec

    bundle = open_bundle(place)
    if spec["device"] != HOST:
        target = own_target(bundle)
        if target is None or target.measure is None:
            raise DeviceFailed(f"this edgekit cannot drive {spec['device']}.", hint="Upgrade edgekit there.")
        return {"report": msgspec.to_builtins(on_device(bundle, target, (), None))}
    limits = Limits(*spec["limits"])
    if whole(bundle):
        how = {"threads": spec["threads"], "processes": spec["processes"], **limits._asdict()}
        return {"report": msgspec.to_builtins(benchmark(place, inputs=inputs, device=HOST, contexts=(), **how))}
    subject = prepare(bundle, inputs, spec["threads"], limits)
    load = host.load_average()
    (answers,) = run.in_turns([subject.setup], spec["processes"])
    if "failure" in answers[-1]:
        return answers[-1]
    return {"answers": answers, "load": load, "machine": host.describe(), "versions": host.versions(VERSIONS)}
