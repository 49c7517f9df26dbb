"""Recurrent layers in torch's order of gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node

Array = NDArray[Any]
#: The gates in torch's order, by their places in ONNX's.
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def recurrent(node: Node, constants: Mapping[str, Array], add: Callable[[str, Array], str]) -> Node | None:
    """`node` as torch's own layer, or None if it is none that torch has.

    Args:
        add: enter a constant, and get its name.
    """
    if node.kind not in _ORDER or not _is_torch(node, constants):
        return None
    inputs = [*node.inputs, *[""] * (8 - len(node.inputs))]
    weights: list[str] = []
    order = _ORDER[node.kind]
    for place in range(constants[inputs[1]].shape[0]):
        arrays = [constants[name][place] for name in inputs[1:3]]
        if inputs[3]:
            arrays += np.split(constants[inputs[3]][place], 2)
        names = (inputs[1], inputs[2], f"{inputs[3]}.input", f"{inputs[3]}.hidden")
        for name, array in zip(names, arrays, strict=False):
            gates = np.split(array, len(order))
            weights.append(add(f"{name}.{place}", np.concatenate([gates[gate] for gate in order])))
    attributes = {name: node.get(name) for name in ("direction", "layout") if node.get(name) is not None}
    attributes |= {"hidden_size": constants[inputs[2]].shape[-1], "biased": bool(inputs[3])}
    return replace(
        node, kind=f"edgekit.{node.kind}", inputs=(inputs[0], inputs[5], inputs[6], *weights), attributes=attributes
    )


def _is_torch(node: Node, constants: Mapping[str, Array]) -> bool:
    inputs = [*node.inputs, *[""] * (8 - len(node.inputs))]
    if any(name not in constants for name in inputs[1:4] if name) or inputs[4] or inputs[7]:
        return False
    default = _DEFAULTS[node.kind] * (2 if node.get("direction") == "bidirectional" else 1)
    if (node.get("activations") or default) != default or node.get("clip") or node.get("input_forget", 0):
        return False
    return node.kind != "GRU" or bool(node.get("linear_before_reset", 0))
