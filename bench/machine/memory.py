"""Resident memory of a process, split into anonymous (its own) and file-backed (mapped, can be dropped) bytes.

The split matters on a phone: mapped weights are clean pages that the system takes back under pressure, anonymous ones
get the app killed.

Errors of these figures. The peak of the whole is exact: the kernel keeps it (``VmHWM``). The kernel
does not keep the peaks of the two parts, so they are *sampled* every 5 ms. A shorter peak is missed. The two peaks may
lie at different times, so their sum can exceed the whole's. The kernel's counters may lag by up to 64 pages (256 kB)
per thread, and on kernels from 6.2 by a batch of pages per core. On other systems than Linux only the peak of the whole
is known, from ``getrusage``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True)
class Memory:
    """Bytes; None where the system does not tell. `anonymous` includes shared memory, which has no file behind it."""

    rss: int | None = None
    anonymous: int | None = None
    file: int | None = None


def current(pid: int | None = None) -> Memory:
    """Memory that a process holds now; this process if `pid` is None. All None if it is gone or this is not Linux."""
    fields = _status(pid)
    if "VmRSS" not in fields:
        return Memory()
    own, mapped = fields.get("RssAnon"), fields.get("RssFile")
    return Memory(fields["VmRSS"], None if own is None else own + fields.get("RssShmem", 0), mapped)


def peak() -> int | None:
    """The most bytes that this process ever held, as the kernel kept it; None if unknown."""
    known = _status(None).get("VmHWM")
    if known is not None:
        return known
    try:
        import resource
    except ImportError:  # Windows
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


class Sampler:
    """Watches a process from a thread and keeps the largest of each figure in `most`. Use it as a context manager.

    Watching a child from its parent leaves the child's interpreter lock alone; a sample costs about 30 us.

    Args:
        pid: whom to watch, None for this process.
        seconds: between two samples.
        most: bytes; a process that holds more is killed, with its group, and `stopped` says what it held.
    """

    def __init__(self, pid: int | None = None, seconds: float = 0.005, most: int | None = None) -> None:
        self.most = Memory()
        self.samples = 0
        self.stopped: int | None = None
        self._limit = most
        self._pid = pid
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="edgekit-memory", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            now = current(self._pid)
            if now.rss is not None:
                self.samples += 1
                self.most = _larger(self.most, now)
                if self._limit is not None and now.rss > self._limit:
                    self._kill_process(now.rss)
                    return
            elif self.samples:
                return  # it has ended
            if self._stop.wait(self._seconds) or not sys.platform.startswith("linux"):
                return

    def _kill_process(self, held: int) -> None:
        if self._pid is not None:
            self.stopped = held
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)


def _larger(a: Memory, b: Memory) -> Memory:
    return Memory(_most(a.rss, b.rss), _most(a.anonymous, b.anonymous), _most(a.file, b.file))


def _most(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _status(pid: int | None) -> dict[str, int]:
    """The memory lines of /proc/PID/status in bytes (``VmHWM:     1234 kB``); empty where there are none."""
    try:
        text = Path(f"/proc/{'self' if pid is None else pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    fields: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if unit == "kB" and number.isdigit():
            fields[name] = int(number) * 1024
    return fields
