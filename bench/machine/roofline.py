"""The memory bandwidth of this machine, measured by reading: the roof above a language model's speed.

Generating a token reads all weights once, and computes little with each; so bytes of weights times tokens per second,
over the bandwidth, says how much of the machine is used (Williams et al. 2009, "Roofline").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from edgekit.errors import BadInput, need

#: Bytes that each thread reads in one pass: far more than any cache holds.
_BYTES = 256 << 20


def read_bandwidth(threads: int, passes: int = 5) -> list[float]:
    """Bytes a second that `threads` threads read together, one value a pass, without the first.

    Each thread takes the largest of its own int64 values, which numpy does with vector instructions and without the
    interpreter's lock.

    Raises:
        BadInput: no threads. MissingExtra: numpy is absent.
    """
    if threads < 1 or passes < 1:
        raise BadInput("a bandwidth is measured with at least one thread and one pass.")
    with need("run", "measuring the memory"):
        import numpy as np
    blocks = [np.full(_BYTES // 8, i, np.int64) for i in range(threads)]
    values = []
    for number in range(passes + 1):
        begin = time.perf_counter()
        readers = [threading.Thread(target=block.max) for block in blocks]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        if number:  # the first pass maps the pages
            values.append(threads * _BYTES / (time.perf_counter() - begin))
    return values


def share(speeds: Sequence[float], weights: int, bandwidth: float) -> list[float]:
    """Fraction of `bandwidth` (bytes/s) that generation at `speeds` (tokens/s) takes; `weights`: bytes read a token."""
    return [speed * weights / bandwidth for speed in speeds]
