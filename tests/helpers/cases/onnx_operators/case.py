"""A use of an operator in a graph of its own, for every version of ONNX's operators that it is worth trying in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.formats.onnx.graph import CONTRIB

Array = NDArray[Any]
ALL = (11, 13, 17, 20)
NEW = (13, 17, 20)


@dataclass(frozen=True)
class Constant:
    """An input that the graph holds."""

    array: Array


@dataclass(frozen=True)
class Case:
    kind: str
    inputs: Sequence[Array | Constant | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    versions: Sequence[int] = ALL
    outputs: int = 1

    def model(self, version: int) -> tuple[onnx.ModelProto, dict[str, Array]]:
        """The graph, and its inputs."""
        names, feeds, held = [], {}, []
        for place, value in enumerate(self.inputs):
            names.append("" if value is None else f"x{place}")
            if isinstance(value, Constant):
                held.append(numpy_helper.from_array(value.array, names[-1]))
            elif value is not None:
                feeds[names[-1]] = value
        domain, _, kind = self.kind.rpartition(".")
        outputs = [f"y{place}" for place in range(self.outputs)]
        node = helper.make_node(kind, names, outputs, "node", domain=domain, **self.attributes)
        return model_of([node], feeds, outputs, version, held), feeds


def model_of(
    nodes: Sequence[onnx.NodeProto],
    feeds: dict[str, Array],
    outputs: Sequence[str],
    version: int = 17,
    constants: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """A model whose inputs have the shapes of `feeds`."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ],
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        list(constants),
    )
    opsets = [helper.make_opsetid("", version), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def f(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Array:
    """Floats between `low` and `high`."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def i(*values: int, dtype: Any = np.int64) -> Array:
    """A row of whole numbers."""
    return np.array(values, dtype)


def c(*values: int) -> Constant:
    """A row of whole numbers that the graph holds."""
    return Constant(np.array(values, np.int64))


def k(array: Any) -> Constant:
    """Floats that the graph holds."""
    return Constant(np.asarray(array, np.float32))
