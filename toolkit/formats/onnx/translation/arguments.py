"""Arguments of operators that were attributes in old versions and are inputs in new ones."""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import NDArray
from edgekit.formats.onnx.graph import Node

Array = NDArray[Any]


def slices(
    node: Node, rank: int, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None
) -> tuple[Any, Any, list[int], Any]:
    """Starts, ends, axes from the front, and steps of a Slice: attributes before version 10, else inputs."""
    starts = node.get("starts") if starts is None else starts
    ends = node.get("ends") if ends is None else ends
    axes = (node.get("axes") or list(range(len(starts)))) if axes is None else axes
    return starts, ends, [int(axis) % rank for axis in axes], [1] * len(starts) if steps is None else steps


def axes_of(node: Node, axes: Array | None) -> list[int] | None:
    """Axes of an operator that had them as an attribute once, and has them as an input now; None where absent."""
    if axes is not None and axes.size:
        return [int(axis) for axis in axes.reshape(-1)]
    stored = node.get("axes")
    return None if stored is None else [int(axis) for axis in ([stored] if isinstance(stored, int) else stored)]


def split_lengths(node: Node, size: Any, split: Array | None) -> list[Any]:
    """The lengths of the pieces of an axis of `size`: named, or all alike but the last."""
    if split is not None:
        return [int(length) for length in split]
    if node.get("split"):
        return [int(length) for length in node.get("split")]
    count = node.get("num_outputs", len(node.outputs))
    each = -(-size // count)
    return [each] * (count - 1) + [size - each * (count - 1)]
