"""Silence for libraries that talk: progress on standard output, warnings, and native code's own log lines."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Nothing inside the block reaches the terminal; a failure is raised all the same.

    The native parts (MLIR, XNNPACK) write to the file descriptors, so that is where they are turned away: for this
    short time, for the whole process. Yields a function that tells what was written so far.
    """
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    _flush()
    held: list[int | None] = []
    for descriptor in (1, 2):
        try:
            held.append(os.dup(descriptor))
        except OSError:  # closed, as a service has it
            held.append(None)
    disabled = logging.root.manager.disable
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        for descriptor in (1, 2):
            os.dup2(sink.fileno(), descriptor)

        def captured_text() -> str:
            size = os.lseek(sink.fileno(), 0, os.SEEK_CUR)
            return os.pread(sink.fileno(), size, 0).decode("utf-8", "replace")

        try:
            yield captured_text
        finally:
            _flush()
            for descriptor, original in zip((1, 2), held, strict=True):
                if original is None:
                    os.close(descriptor)
                else:
                    os.dup2(original, descriptor)
                    os.close(original)
            logging.disable(disabled)


def _flush() -> None:
    """What was written before must come out before, and on its own side."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # absent, closed, or a broken pipe
            stream.flush()
