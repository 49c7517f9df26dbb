"""The number of processors that this process may use."""

from __future__ import annotations

import os

from edgekit.errors import BadInput

__all__ = ["MOST", "thread_count", "usable_processors"]

#: Most threads per usable processor. Runtimes spin while they wait, so many more threads make no progress.
MOST = 4


def thread_count(threads: int | None) -> int:
    """`threads`, or the number of usable processors if it is None.

    Raises:
        BadInput: more than `MOST` per usable processor.
    """
    usable = usable_processors()
    if threads is not None and threads > MOST * usable:
        raise BadInput(
            f"{threads} threads are too many for the {usable} processor(s) that may be used: more than {MOST} for each "
            "only wait for one another.",
            hint=f"Give at most --threads {MOST * usable}",
        )
    return threads or usable


def usable_processors() -> int:
    """The processors in this process's affinity; in a container or under taskset fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
