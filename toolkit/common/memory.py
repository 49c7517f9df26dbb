"""Memory: what is free, a limit for what may be large, and what the C library keeps of what was freed."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def free_memory() -> int:
    """Bytes that Linux can give without swapping, or all that the machine has where it does not tell."""
    free = _kilobytes(_PROC / "meminfo", "MemAvailable:")
    return free << 10 or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Inside, this process gets no more memory than is free now (Linux alone): who asks for more meets an error, and
    the machine goes on."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = (_kilobytes(_PROC / "self" / "status", "VmData:") << 10) + free_memory()
    limits = [most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _kilobytes(file: Path, name: str) -> int:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Inside, Python does not look for cycles to free: a tracer makes millions of objects that live until it is done,
    and every look at them takes longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def give_back() -> None:
    """Hand freed pages back to the system, where the C library can (glibc). A few milliseconds at most."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
