"""Measure bundles on a pool of machines: a Dask scheduler and its workers.

Start them with ``dask scheduler`` and, on each machine, ``dask worker HOST:PORT --nthreads 1 --resources host=1``; a
machine with an emulator or a phone names that device too (``--resources "host=1 qemu=1"``). A cell goes only to a
worker that has its device, and a machine measures a single cell at a time. If a worker dies, its cell
runs on another worker.

By design of Dask, a pool runs any code that is sent to it: keep its port inside your own network.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import urllib.parse
import zipfile
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
from edgekit.common.files import hash_file, is_inside
from edgekit.core import Bundle
from edgekit.errors import BadInput, DeviceFailed, EdgekitError, need
from edgekit.sources import cache_folder

__all__ = ["Task", "digest", "measure", "packed", "there"]

#: Seconds after which a scheduler that does not answer counts as gone.
_PATIENCE = 15.0


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


def digest(task: Task) -> str:
    """Hash of all that decides the result, except the machine."""
    inputs = [hash_file(Path(name)) for name in task.inputs]
    facts = (task.device, hash_file(task.bundle.path / NAME), inputs, task.threads, task.processes, *task.limits)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def measure(workers: str, tasks: Sequence[Task]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run tasks on the pool at ``dask://HOST:PORT``; yields (index of the task, answer) as they finish.

    An answer has ``answers`` of the processes (`edgekit.bench.processes.child.once`), ``load``, ``machine`` and
    ``versions``; or a ``report`` of a device; or a ``failure``. ``worker`` names the machine.

    Raises:
        BadInput: no such address. MissingExtra: Dask is not installed. DeviceFailed: the scheduler cannot be reached,
            or vanished.
    """
    with need("pool", "Measuring on a pool"):
        from distributed import Client

    address = _address(workers)
    try:
        client: Any = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (TimeoutError, OSError, ValueError) as exc:
        raise DeviceFailed(
            f"there is no Dask scheduler at {workers}: {exc}.", hint="Start one with: dask scheduler"
        ) from exc
    try:
        yield from _Run(client, workers, tasks).results()
    finally:
        client.close(timeout=2)


def _address(workers: str) -> str:
    parts = urllib.parse.urlsplit(workers)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "dask" or not parts.hostname or port is None:
        raise BadInput(f"{workers!r} is no pool.", hint="Give --workers dask://HOST:PORT")
    host_name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"tcp://{host_name}:{port}"


class _Run:
    """Submitted tasks; at most two per worker at a time, so that bundles do not pile up in the scheduler."""

    def __init__(self, client: Any, workers: str, tasks: Sequence[Task]) -> None:
        self._client, self._workers, self._tasks = client, workers, tasks
        self._waiting = list(enumerate(tasks))
        self._running: dict[Any, int] = {}

    def results(self) -> Iterator[tuple[int, dict[str, Any]]]:
        offered = self._offered()
        for at, task in [item for item in self._waiting if item[1].device not in offered]:
            self._waiting.remove((at, task))
            yield (
                at,
                _failure("not measured", f"no worker of the pool has the device {task.device!r}.", _offer(task.device)),
            )
        try:
            while self._waiting or self._running:
                self._fill()
                yield from self._finished()
        finally:
            if self._running and self._client.status == "running":
                self._client.cancel(list(self._running), force=True)

    def _offered(self) -> set[str]:
        self._alive()
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self._most = 2 * max(1, len(workers))
        return {label for worker in workers for label in worker.get("resources", {})}

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._most:
            at, _ = self._waiting.pop(0)
            self._submit(at, None)

    def _submit(self, at: int, payload: bytes | None) -> None:
        task = self._tasks[at]
        spec = {
            "device": task.device,
            "path": str(task.bundle.path.absolute()),
            "sha256": hash_file(task.bundle.path / NAME),
            "inputs": [[str(Path(name).absolute()), hash_file(Path(name))] for name in task.inputs],
            "threads": task.threads,
            "processes": task.processes,
            "limits": list(task.limits),
        }
        future = self._client.submit(there, spec, payload, resources={task.device: 1}, pure=False)
        self._running[future] = at

    def _finished(self) -> Iterator[tuple[int, dict[str, Any]]]:
        from distributed import CancelledError, wait

        try:
            with self._client.as_current():  # `wait` takes no client
                done = wait(list(self._running), timeout=1.0, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        except CancelledError as exc:
            raise self._gone() from exc
        self._alive()
        for future in done:
            at = self._running.pop(future)
            answer = self._answer(future)
            if answer is None:
                self._submit(at, packed(self._tasks[at]))
            else:
                yield at, answer

    def _answer(self, future: Any) -> dict[str, Any] | None:
        """The answer of a task; None if its worker needs the bundle first."""
        from distributed import CancelledError

        try:
            answer: dict[str, Any] | None = future.result()
            return answer
        except CancelledError as exc:
            raise self._gone() from exc
        except Exception as exc:  # any error of the other machine: no edgekit, a full disk, repeated crashes
            return _failure("failed", f"the pool's worker could not measure it: {type(exc).__name__}: {exc}", "")

    def _alive(self) -> None:
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> DeviceFailed:
        return DeviceFailed(
            f"the scheduler at {self._workers} has vanished; cells that were finished are kept.",
            hint="Start it again and repeat the command: it goes on where it stopped.",
        )


def _offer(device: str) -> str:
    return f'Start one with: dask worker HOST:PORT --nthreads 1 --resources "{device}=1"'


def _failure(outcome: str, message: str, hint: str) -> dict[str, Any]:
    return {"failure": {"outcome": outcome, "message": message, "type": "DeviceFailed", "hint": hint}}


# ------------------------------------------------------------------------------------------------- on the other machine


def there(spec: Mapping[str, Any], payload: bytes | None) -> dict[str, Any] | None:
    """Measure the bundle of `spec` on this machine; None if it is neither here nor in `payload`."""
    from filelock import FileLock

    with FileLock(cache_folder() / "measuring.lock"):  # two measurements at a time would disturb one another
        place = _place(spec, payload)
        if place is None:
            return None
        try:
            answer = _measured(place, spec)
        except EdgekitError as exc:
            failure = {"outcome": "failed", "message": exc.message, "type": type(exc).__name__, "hint": exc.hint}
            answer = {"failure": failure}
    return answer | {"worker": _worker()}


def _measured(place: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    import msgspec

    bundle = open_bundle(place)
    if spec["device"] != HOST:
        target = own_target(bundle)
        if target is None or target.measure is None:
            raise DeviceFailed(f"this edgekit cannot drive {spec['device']}.", hint="Upgrade edgekit there.")
        return {"report": msgspec.to_builtins(on_device(bundle, target, (), None))}
    inputs = [name if Path(name).is_file() else _input(place, sha256, name) for name, sha256 in spec["inputs"]]
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


def _worker() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return ""


def _place(spec: Mapping[str, Any], payload: bytes | None) -> Path | None:
    """The bundle's folder on this machine: the same path on a shared disk, else in the cache."""
    shared = Path(spec["path"])
    sha256: str = spec["sha256"]
    files = all(Path(name).is_file() and hash_file(Path(name)) == sha for name, sha in spec["inputs"])
    if files and (shared / NAME).is_file() and hash_file(shared / NAME) == sha256:
        return shared
    kept = cache_folder() / "bundles" / sha256
    if (kept / NAME).is_file() and all(_input(kept, sha, name).is_file() for name, sha in spec["inputs"]):
        return kept
    if payload is None:
        return None
    _unpack(payload, kept)
    return kept


def _input(bundle: Path, sha256: str, name: str) -> Path:
    """The path of an input that came with a bundle: beside it, under its own name."""
    return bundle.with_name(f"{bundle.name}-inputs") / sha256 / Path(name).name


def packed(task: Task) -> bytes:
    """The bundle and the inputs as an uncompressed archive: weights hardly compress."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in (*task.bundle.manifest.files, NAME):
            archive.write(task.bundle.path / name, f"bundle/{name}")
        for name in task.inputs:
            archive.write(name, f"inputs/{hash_file(Path(name))}/{Path(name).name}")
    return buffer.getvalue()


def _unpack(payload: bytes, kept: Path) -> None:
    """Unpack into the cache, whole or not at all."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".partial-") as scratch:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            if not all(is_inside(name) for name in archive.namelist()):
                raise BadInput("the bundle that came to this worker has files outside of it.")
            archive.extractall(scratch)
        for name, place in (("inputs", kept.with_name(f"{kept.name}-inputs")), ("bundle", kept)):
            _move(Path(scratch) / name, place)


def _move(fresh: Path, place: Path) -> None:
    if not fresh.is_dir():
        return
    if not place.exists():
        fresh.replace(place)
        return
    for path in sorted(fresh.rglob("*")):  # more inputs for a bundle that was here
        if path.is_file():
            (place / path.relative_to(fresh)).parent.mkdir(parents=True, exist_ok=True)
            path.replace(place / path.relative_to(fresh))
