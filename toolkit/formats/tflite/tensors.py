"""A .tflite's inputs and outputs as callers see them: names, dtypes, dynamic axes.

``PART.json`` beside ``PART.tflite`` holds facts for which the file has no place: the names of a ready file's tensors
and of dynamic axes, and the part's own dtypes if the file's differ (int32 for int64, int8 for float32).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import TensorSpec
from edgekit.errors import BadInput

#: Names, dtypes and shapes of inputs and outputs, in the file's order.
Specs = tuple[Sequence[TensorSpec], Sequence[TensorSpec]]


def describe(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """The text of a part's description, which `read_specs` reads."""
    return json.dumps({"inputs": [*map(asdict, inputs)], "outputs": [*map(asdict, outputs)]}, indent=1) + "\n"


def read_specs(file: Path) -> Specs | None:
    """The content of ``PART.json`` beside the .tflite `file`; None without it. Raises BadInput if it is damaged."""
    file = file.with_suffix(".json")
    if not file.exists():
        return None
    try:
        facts = json.loads(file.read_bytes())
        inputs, outputs = (
            tuple(TensorSpec(str(spec["name"]), str(spec["dtype"]), tuple(spec["shape"])) for spec in facts[side])
            for side in ("inputs", "outputs")
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"{file.name}, the description of a part, cannot be read.", hint="Export it again.") from exc
    return inputs, outputs


def encode_value(value: NDArray[Any], dtype: Any, steps: tuple[float, int], name: str) -> NDArray[Any]:
    """`value` in the file's numpy dtype; `steps` are the scale and the zero point of an integer dtype.

    Raises:
        BadInput: the file's dtype cannot hold it.
    """
    if value.dtype == dtype:
        return value
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    if value.dtype.kind == "f" and limits:
        if not np.isfinite(value).all():
            raise BadInput(f"LiteRT could not run the part: {name!r} has a value that is not a number.")
        scale, zero = steps
        whole: NDArray[Any] = np.clip(np.rint(value / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)
        return whole
    if limits and value.size and not (limits.min <= value.min() and value.max() <= limits.max):
        raise BadInput(f"LiteRT could not run the part: {name!r} has a value that {dtype.name} cannot hold.")
    return value.astype(dtype)


def decode_value(value: NDArray[Any], dtype: str, steps: tuple[float, int]) -> NDArray[Any]:
    """`value` of the file in the dtype of the part's specification; `steps` as for `encode_value`."""
    if value.dtype == dtype:
        return value
    if value.dtype.kind in "iu" and np.dtype(dtype).kind == "f":
        scale, zero = steps
        real: NDArray[Any] = ((value.astype(np.float32) - zero) * np.float32(scale)).astype(dtype)
        return real
    return value.astype(dtype)
