"""The client of a pool: a Dask scheduler and its workers, at ``dask://HOST:PORT``.

Start them with ``dask scheduler`` and, on each machine, ``dask worker HOST:PORT --nthreads 1 --resources host=1``; a
machine with an emulator or a phone names that device too (``--resources "host=1 qemu=1"``). A task goes only to a
worker that has its device. If a worker dies, its task runs on another worker.

By design of Dask, a pool runs any code that is sent to it: keep its port inside your own network.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar

from edgekit.common.files import cache_folder
from edgekit.core import Facts
from edgekit.errors import BadInput, DeviceFailed, need

#: Seconds after which a scheduler that does not answer counts as gone, and after which a pool without workers does.
PATIENCE, GRACE = 15.0, 60.0

_Key = TypeVar("_Key")


class Task(NamedTuple):
    """What a worker does.

    Attributes:
        device: the resource that the worker must have. function: (`spec`, payload) -> an answer, or None where the
            worker needs the payload first; a public function of a module. spec: plain data. pack: makes the payload.
    """

    device: str
    function: Callable[[Facts, bytes | None], Facts | None]
    spec: Facts
    pack: Callable[[], bytes]


def address(workers: str) -> str:
    """The scheduler's address of ``dask://HOST:PORT``. Raises BadInput."""
    parts = urllib.parse.urlsplit(workers)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "dask" or not parts.hostname or port is None:
        raise BadInput(f"{workers!r} is no pool.", hint="Give --workers dask://HOST:PORT")
    host_name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"tcp://{host_name}:{port}"


def offer(device: str) -> str:
    """The command that starts a worker with `device`."""
    return f'Start one with: dask worker HOST:PORT --nthreads 1 --resources "{device}=1"'


def own_address() -> str:
    """The address of the worker that runs this; "" in another process."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return ""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """On a worker: wait until no other worker of this machine measures. Two at a time would disturb one another."""
    from filelock import FileLock

    with FileLock(cache_folder() / "measuring.lock"):
        yield


@contextlib.contextmanager
def connect_pool(workers: str) -> Iterator[Pool]:
    """The pool at ``dask://HOST:PORT``, for as long as the block takes.

    Raises:
        BadInput: no such address. MissingExtra: Dask is not installed. DeviceFailed: the scheduler cannot be reached.
    """
    with need("pool", "Working on a pool"):
        from distributed import Client

    scheduler = address(workers)
    try:
        client: Any = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (TimeoutError, OSError, ValueError) as exc:
        raise DeviceFailed(
            f"there is no Dask scheduler at {workers}: {exc}.", hint="Start one with: dask scheduler"
        ) from exc
    try:
        yield Pool(client, workers)
    finally:
        client.close(timeout=2)


class Pool:
    """A connected pool.

    Args:
        client: of Dask. workers: the pool's address, for messages.
    """

    def __init__(self, client: Any, workers: str) -> None:
        self.client, self.workers = client, workers

    def devices(self) -> Counter[str]:
        """Device -> number of workers that have it. Raises DeviceFailed where the scheduler has vanished."""
        self.check()
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return Counter(label for worker in workers for label in worker.get("resources", {}))

    def require(self, device: str) -> None:
        """Raise DeviceFailed where no worker has `device`."""
        if not self.devices()[device]:
            raise DeviceFailed(f"no worker of the pool {self.workers} has the device {device!r}.", hint=offer(device))

    def everywhere(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a short `function` on every worker at once, also beside a task. Workers that cannot do it are left out;
        so is a scheduler that has vanished."""
        if self.client.status == "running":
            with contextlib.suppress(OSError, TimeoutError):
                self.client.run(function, *arguments, on_error="ignore")

    def check(self) -> None:
        """Raise DeviceFailed where the scheduler has vanished."""
        if self.client.status != "running":
            raise self.pool_error(f"the scheduler at {self.workers} has vanished")

    def pool_error(self, what: str) -> DeviceFailed:
        """The error of a pool that can do no more."""
        return DeviceFailed(
            f"{what}; what was finished is kept.",
            hint="Start it again and repeat the command: it goes on where it stopped.",
        )


class Batch(Generic[_Key]):
    """Tasks on a pool. What is still running when the block ends is cancelled.

    Args:
        tasks: drawn one by one, when a worker has room, so a generator may look at earlier results.
        ahead: tasks per worker at a time; their payloads lie in the scheduler until they begin.
    """

    def __init__(self, pool: Pool, tasks: Iterator[tuple[_Key, Task]], *, ahead: int = 2) -> None:
        self._pool, self._tasks, self._ahead = pool, tasks, ahead
        self._running: dict[Any, tuple[_Key, Task]] = {}
        self._seen = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._cancel(list(self._running))

    @property
    def running(self) -> list[_Key]:
        """The keys of submitted tasks without a result."""
        return [key for key, _ in self._running.values()]

    def cancel(self, key: _Key) -> None:
        """Forget the task `key`. A worker that has begun it goes on, and nobody hears of it."""
        self._cancel([future for future, (other, _) in self._running.items() if other == key])

    def results(self) -> Iterator[tuple[_Key, Facts]]:
        """(key, answer) of each task as it finishes.

        An answer ``{"lost": reason}`` is of a task that workers died of, or could not run; ``lacking`` names the module
        that was not there.

        Raises:
            DeviceFailed: the scheduler vanished, or all workers.
        """
        self._fill()
        while self._running:
            for future in self._wait_for_futures():
                if future not in self._running:  # cancelled by whoever got the result before it
                    continue
                key, task = self._running.pop(future)
                answer = self._answer(future)
                if answer is None:
                    self._submit(key, task, task.pack())
                else:
                    yield key, answer
            self._fill()

    def _fill(self) -> None:
        workers = self._workers()
        while len(self._running) < self._ahead * max(1, workers):
            drawn = next(self._tasks, None)
            if drawn is None:
                return
            self._submit(*drawn, None)

    def _workers(self) -> int:
        """The number of workers. Raises DeviceFailed where there was none for a while: a nanny starts one again."""
        workers = max(self._pool.devices().values(), default=0)
        now = time.monotonic()
        self._seen = now if workers else self._seen
        if now - self._seen > GRACE:
            raise self._pool.pool_error(f"the pool at {self._pool.workers} has no worker left")
        return workers

    def _submit(self, key: _Key, task: Task, payload: bytes | None) -> None:
        future = self._pool.client.submit(task.function, task.spec, payload, resources={task.device: 1}, pure=False)
        self._running[future] = key, task

    def _wait_for_futures(self) -> set[Any]:
        from distributed import CancelledError, wait

        try:
            with self._pool.client.as_current():  # `wait` takes no client
                done: set[Any] = wait(list(self._running), timeout=1.0, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        except CancelledError as exc:
            raise self._pool.pool_error(f"the scheduler at {self._pool.workers} has vanished") from exc
        self._pool.check()
        return done

    def _answer(self, future: Any) -> Facts | None:
        """The answer of a task; None if its worker needs the payload first."""
        from distributed import CancelledError, KilledWorker

        try:
            answer: Facts | None = future.result()
            return answer
        except CancelledError as exc:
            raise self._pool.pool_error(f"the scheduler at {self._pool.workers} has vanished") from exc
        except KilledWorker as exc:
            return {"lost": f"{exc.allowed_failures + 1} workers died of it, the last at {exc.last_worker.address}"}
        except Exception as exc:  # any error of the other machine: a full disk, no edgekit
            return {"lost": f"{type(exc).__name__}: {exc}", "lacking": _lacking(exc)}

    def _cancel(self, futures: list[Any]) -> None:
        for future in futures:
            del self._running[future]
        if futures and self._pool.client.status == "running":
            self._pool.client.cancel(futures, force=True)


def _lacking(exc: BaseException | None) -> str:
    """The module that another machine lacks, if that is what `exc` comes of; else ""."""
    while exc is not None:
        if isinstance(exc, ImportError):
            return exc.name or str(exc)
        exc = exc.__cause__ or exc.__context__
    return ""
