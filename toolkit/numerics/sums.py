"""Sums that do not depend on how many processors a machine has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgekit.errors import need


@contextlib.contextmanager
def same_sums() -> Iterator[None]:
    """Inside, numpy's matrix products run on one thread.

    BLAS shares a product out to its threads, and the last bits of its sums depend on the shares. Rounding weights to
    int8 or choosing a layer's form may turn on such a bit: with two threads an export had other weights than with one.
    Runtimes and torch keep their threads. Apple's Accelerate cannot be set so: there, nothing is promised.

    Raises:
        MissingExtra: threadpoolctl is absent.
    """
    with need("export", "Exporting a model"):
        import numpy  # noqa: F401 (its BLAS must be loaded to be limited)
        from threadpoolctl import threadpool_limits
    with threadpool_limits(1, "blas"):
        yield
