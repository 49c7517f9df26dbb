"""How many processors this process may use. A leaf that every room may import."""

from __future__ import annotations

import os

from edgekit.errors import BadInput

__all__ = ["MOST", "thread_count", "usable_processors"]

#: Threads for each usable processor, at most. Runtimes spin while they wait, so with many more nothing gets done.
MOST = 4


def thread_count(threads: int | None) -> int:
    """`threads`, or as many as there are usable processors where it is None.

    Raises:
        BadInput: more than `MOST` for each usable processor.
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
    """Those of its affinity, not the machine's count, which in a container or below taskset is another number."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
