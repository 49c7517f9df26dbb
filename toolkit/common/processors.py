"""The processors that this process may use: how many, and whether they add products of bytes exactly."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edgekit.errors import BadInput

#: Most threads per usable processor. Runtimes spin while they wait, so many more threads make no progress.
MOST = 4


#: Where Linux says what a processor can do.
FACTS = Path("/proc/cpuinfo")


def overflows_on_bytes() -> bool:
    """Whether products of uint8 and int8 may be added up in 16 bits, which overflow: on x86 without VNNI (AVX2 alone:
    AMD Zen 1 to 3, Intel up to Comet Lake), and where nobody says."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    text = FACTS.read_text(encoding="utf-8", errors="replace") if FACTS.is_file() else ""
    return "vnni" not in text


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
