"""Keeps a library from taking away the stack that signal handlers run on."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("place", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextlib.contextmanager
def preserve_signal_stack() -> Iterator[None]:
    """After the block this thread's alternate signal stack is the one that it was before.

    OpenVINO's processor plugin sets one of its own for the thread that compiles, and frees it with the last network,
    still set. The next signal, such as Ctrl-C, then kills the process: Python's handlers ask for the alternate stack
    (seen with OpenVINO 2026.4; Linux only, where this was looked at).
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    system, before = ctypes.CDLL(None), _Stack()
    system.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        system.sigaltstack(ctypes.byref(before), None)
