"""The inputs of a call, checked before a runtime sees them: many end the process over a wrong one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, TensorSpec
from edgekit.errors import BadInput


def checked_feeds(
    who: str, specs: Sequence[TensorSpec], feeds: Feeds, most: Mapping[str, int] = MappingProxyType({})
) -> list[NDArray[Any]]:
    """The arrays of a call in the order of `specs`, each contiguous.

    Args:
        who: the runtime, for messages. most: dynamic axis -> its largest size.

    Raises:
        BadInput: an input is missing, not known, or of another dtype or shape.
    """
    failed = f"{who} could not run the part:"
    if unknown := set(feeds) - {spec.name for spec in specs}:
        raise BadInput(f"{failed} there is no input {min(unknown)!r}.")
    values = []
    for spec in specs:
        value: Any = feeds.get(spec.name)
        if value is None:
            raise BadInput(f"{failed} the input {spec.name!r} is missing.")
        array = isinstance(value, np.ndarray)
        sizes = dict(zip(spec.shape, value.shape, strict=False)) if array else {}
        beyond = [axis for axis, limit in most.items() if not 0 < sizes.get(axis, limit) <= limit]
        if not array or value.dtype != spec.dtype or not spec.fits(value.shape) or beyond:
            got = f"{value.dtype} {list(value.shape)}" if array else type(value).__name__
            limits = "".join(f"; {axis} at most {limit}" for axis, limit in most.items() if axis in spec.shape)
            wanted = f"{spec.dtype} {list(spec.shape)}{limits}"
            raise BadInput(f"{failed} {spec.name!r} must be {wanted}, not {got}.")
        values.append(np.asarray(value, order="C"))
    return values


def first_line(exc: Exception) -> str:
    """What a foreign exception says first; its type where it says nothing."""
    return next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
