"""Freed memory goes back to the system, and what is not free cannot be taken where that is limited."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.common.memory import free_memory, give_back, limited_memory


def _resident() -> int:
    """Bytes of this process in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) << 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_that_the_c_library_keeps_are_given_back() -> None:
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        pytest.skip("the C library is not glibc")
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    size, blocks = 50_000, []
    for _ in range(2000):
        block = library.malloc(size)
        ctypes.memset(block, 1, size)
        blocks.append(block)
    last = library.malloc(size)  # what lies at the top keeps everything below it
    for block in blocks:
        library.free(block)
    before = _resident()
    give_back()
    assert before - _resident() > 60_000_000
    library.free(last)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit of Linux")
def test_no_more_than_what_is_free_can_be_taken_inside_of_the_limit() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with limited_memory():
        assert np.zeros(1 << 20).sum() == 0
        with pytest.raises(MemoryError):
            np.empty(2 * free_memory(), np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
