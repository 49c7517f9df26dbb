"""Outputs and truths of the same samples, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.errors import BadInput


def side_by_side(outputs: Sequence[Any], truths: Sequence[Any], lacking: str = "") -> list[tuple[Any, Any]]:
    """Each output and its truth.

    Args:
        lacking: what to say where a truth is None; "": it may be.

    Raises:
        BadInput: lengths differ, or a truth is lacking.
    """
    if len(outputs) != len(truths):
        raise BadInput(f"{len(outputs)} outputs against {len(truths)} truths: they must be of the same samples.")
    if lacking and any(truth is None for truth in truths):
        raise BadInput(lacking)
    return list(zip(outputs, truths, strict=True))
