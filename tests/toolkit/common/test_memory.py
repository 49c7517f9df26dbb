"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from edgekit.common.memory import give_back


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
