"""coremltools warns of every newer torch, of what only a Mac has, draws progress bars, and logs each pass.

torchao, which it imports where it is there, registers types in a way that torch logs a warning of.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Errors(logging.Handler):
    """Takes down what a logger says of errors."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Nothing of it is shown; errors are raised all the same.

    Yields:
        what it logs of errors, as it goes: where they happened is not in what it raises.
    """
    logger, types = logging.getLogger("coremltools"), logging.getLogger("torch.utils._pytree")
    level = types.level
    before = logger.handlers[:], logger.level, logger.propagate
    said: list[str] = []
    logger.handlers[:], logger.level, logger.propagate = [_Errors(said)], logging.ERROR, False
    types.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield said
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
        types.setLevel(level)
