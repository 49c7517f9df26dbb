"""On a worker of a pool: the trials of a search, in a process of their own.

The process makes the fp32 reference once and keeps it for the next trial. It can be ended at any time, a crash in it is
an answer, and it has the threads of the machine that searches: Dask gives its workers a single one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

import edgekit
from edgekit.bench.machine import host
from edgekit.bundles.staging import alive, owner
from edgekit.common.files import cache_folder
from edgekit.core import Facts
from edgekit.pipeline.search.messages import Begin, Outcome, Spec, Wish, plain
from edgekit.pool import client, parcels

#: Variables that decide the threads of numpy and torch.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: What decides the speed of a machine.
_PROCESSOR = frozenset({"cpu", "architecture", "cores", "affinity", "quota"})
#: Bytes of the process's last words that are read.
_WORDS = 4096

#: The answer that nobody waits for.
_CANCELLED = "it was cancelled."
#: Tickets of trials, and names of searches, that nobody waits for any more.
_stopped: set[str] = set()
_session: _Session | None = None


def there(asked: Facts, payload: bytes | None) -> Facts | None:
    """`Outcome` of a `Spec` on this machine, both plain; None if files are neither here nor in `payload`."""
    with client.alone():
        outcome = _version_refusal(str(asked["edgekit"]))
        if outcome is None:
            spec = msgspec.convert(asked, Spec)
            outcome = _refusal(spec)
            if outcome is None:
                places = parcels.receive_parcels(list(spec.files.values()), payload)
                if places is None:
                    return None
                outcome = _run_trial(spec, places)
        outcome.worker = client.own_address()
        return plain(outcome)


def stop(ticket: str) -> None:
    """End the trial with this ticket, if it is here."""
    _stopped.add(ticket)
    if _session is not None and _session.ticket == ticket:
        _session.close()


def finish(search: str) -> None:
    """End the process of a search, and remove its folder."""
    _stopped.add(search)
    if _session is not None and _session.search == search:
        _session.close()


def _version_refusal(theirs: str) -> Outcome | None:
    if theirs == edgekit.__version__:
        return None
    return Outcome(
        message=f"it has edgekit {edgekit.__version__}, and the search is of {theirs}.",
        hint=f'Install edgekit {theirs} on every machine, from one wheel: pip install "WHEEL[pool]"',
    )


def _refusal(spec: Spec) -> Outcome | None:
    """Why this machine can do no trial of the search; None if it can."""
    if _stopped & {spec.ticket, spec.search}:
        return Outcome(message=_CANCELLED)
    if spec.latency and (different := _differences(spec)):
        here = host.describe()
        told = ", ".join(f"{name}: {here[name]}, not {spec.machine[name]}" for name in different)
        return Outcome(
            message=f"its processor is another one ({told}), and a limit of latency is for machines like this one.",
            hint="Start workers on machines like this one, or leave --max-latency out.",
        )
    return None


def _differences(spec: Spec) -> list[str]:
    return [name for name in host.differences(spec.machine, host.describe()) if name in _PROCESSOR]


def _run_trial(spec: Spec, places: Sequence[Path]) -> Outcome:
    """The answer of the process; without times, where they are another processor's than those of the search."""
    global _session
    if _session is None or _session.search != spec.search or not _session.alive:
        if _session is not None:
            _session.close()
        _session = _Session(spec, places)
    outcome = _session.try_recipe(spec.recipe, spec.ticket)
    if outcome.point is not None and _differences(spec):
        outcome.point = replace(outcome.point, seconds=None, speed=None)
    return outcome


class _Session:
    """The process of a search (`edgekit.pipeline.search.child`) and its folder.

    Args:
        places: of the files that the request names, in its order.
    """

    def __init__(self, spec: Spec, places: Sequence[Path]) -> None:
        self.search, self.ticket, self._closed = spec.search, "", False
        trials = cache_folder() / "trials"
        trials.mkdir(parents=True, exist_ok=True)
        _sweep(trials)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{owner()}-", dir=trials))
        self._words = self._folder / "words.txt"
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgekit.pipeline.search.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                env={name: value for name, value in os.environ.items() if name not in THREADS} | spec.threads,
                start_new_session=True,
            )
        request = dict(spec.begin.request)
        for name, place in zip(spec.files, places, strict=True):
            request[name] = f"{place}{request[name]}"
        self._send(msgspec.structs.replace(spec.begin, request=request, folder=str(self._folder)))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def try_recipe(self, recipe: str, ticket: str) -> Outcome:
        """What became of a recipe; it is lost if the process ends before it says so."""
        self.ticket = ticket
        if _stopped & {ticket, self.search}:  # while the process was started
            self.close()
            return Outcome(message=_CANCELLED)
        self._send(Wish(recipe))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.ticket = ""
        if line:
            return msgspec.convert(json.loads(line), Outcome)
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        lost = f"its process ended with {how}{_last(self._words)}"
        self.close()
        return Outcome(lost=lost)

    def close(self) -> None:
        """End the process and what it started, and remove the folder."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, message: Begin | Wish) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended, and `try_recipe` will see that it gives no answer
            self._process.stdin.write(json.dumps(plain(message)).encode() + b"\n")
            self._process.stdin.flush()


def _last(words: Path) -> str:
    """The last line that a process has printed."""
    try:
        lines = words.read_bytes()[-_WORDS:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return f": {lines[-1].strip()[:300]}" if lines else ""


def _sweep(trials: Path) -> None:
    """Remove the folders of workers that were killed."""
    for folder in trials.iterdir():
        if not alive(folder.name, folder):
            shutil.rmtree(folder, ignore_errors=True)
