"""How many processors this process may use. A leaf that every room may import."""

from __future__ import annotations

import os

__all__ = ["usable_processors"]


def usable_processors() -> int:
    """Those of its affinity, not the machine's count, which in a container or below taskset is another number."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
