"""A .tflite's inputs and outputs as callers see them: names, dtypes, dynamic axes.

``PART.json`` beside ``PART.tflite`` holds facts for which the file has no place: the names of a ready file's tensors
and of dynamic axes, and the part's own dtypes if the file's differ (int32 for int64, int8 for float32).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.documents import read_json
from edgekit.common.lazy import NDArray, np
from edgekit.core import TensorSpec
from edgekit.errors import BadInput
from edgekit.formats.descriptions import Specs, parse_specs, records_of, refuse_damage
from edgekit.formats.tflite.reader import Subgraph, Tensor


def describe(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """The text of a part's description, which `read_specs` reads."""
    return json.dumps(records_of(inputs, outputs), indent=1) + "\n"


def read_specs(file: Path) -> Specs | None:
    """The content of ``PART.json`` beside the .tflite `file`; None without it. Raises BadInput if it is damaged."""
    file = file.with_suffix(".json")
    if not file.exists():
        return None
    with refuse_damage(f"{file.name}, the description of a part, cannot be read."):
        return parse_specs(read_json(file))


class Side(NamedTuple):
    """The inputs, or the outputs, of a .tflite: its tensors, and what callers know of them, in the same order."""

    tensors: Sequence[Tensor]
    specs: Sequence[TensorSpec]

    @property
    def own(self) -> tuple[TensorSpec, ...]:
        """The dtypes and shapes that the file has, under the names that callers know."""
        ends = zip(self.tensors, self.specs, strict=True)
        return tuple(TensorSpec(spec.name, of.dtype, of.shape) for of, spec in ends)

    def encode(self, values: Iterable[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """A caller's values, by name, as the file holds them. Raises BadInput as `encode_value`."""
        ends = zip(self.tensors, self.specs, values, strict=True)
        return {spec.name: encode_value(value, np.dtype(of.dtype), _steps(of), spec.name) for of, spec, value in ends}

    def decode(self, values: Iterable[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The file's values, by name, as callers know them."""
        ends = zip(self.tensors, self.specs, values, strict=True)
        return {spec.name: decode_value(value, spec.dtype, _steps(of)) for of, spec, value in ends}


def sides_of(graph: Subgraph, specs: Specs | None) -> tuple[Side, Side]:
    """Inputs and outputs of `graph`. `specs`: what callers know of them; None: the file's own names."""
    inputs, outputs = ([graph.tensors[i] for i in side] for side in (graph.inputs, graph.outputs))
    own = [[TensorSpec(one.name, one.dtype, one.shape) for one in side] for side in (inputs, outputs)]
    known = specs or own
    return Side(inputs, known[0]), Side(outputs, known[1])


def _steps(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of a tensor with one of each; of floats no step."""
    form = tensor.quantization
    return (0.0, 0) if form is None else (form.scale[0], form.zero_point[0])


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
