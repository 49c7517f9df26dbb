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
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    held = [os.dup(descriptor) for descriptor in (1, 2)]
    disabled = logging.root.manager.disable
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        for descriptor in (1, 2):
            os.dup2(sink.fileno(), descriptor)

        def written() -> str:
            size = os.lseek(sink.fileno(), 0, os.SEEK_CUR)
            return os.pread(sink.fileno(), size, 0).decode("utf-8", "replace")

        try:
            yield written
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for descriptor, original in zip((1, 2), held, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            logging.disable(disabled)
