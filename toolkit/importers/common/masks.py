"""Masks that somebody's network fills with minus infinity or the least float32, made finite and modest.

Such a number is infinite in half precision, where 0 times it is no number at all, and leaves no int8 for the rest. A
number whose exponential is 0 does as well. Whether it does is tried: the change stays only if the outputs for the
samples do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import NDArray, torch
from edgekit.importers.common.rewriting import keep_if_equivalent
from edgekit.numerics.masking import MASKED

#: What is below this cannot be told from infinity in half precision, or not by much.
_LEAST = -3e4
#: Largest difference that counts as the same, relative to the largest output.
_SAME = 1e-5
#: Operators that masks are for.
_MASKED = ("softmax", "scaled_dot_product")


def finite(module: torch.fx.GraphModule, samples: Sequence[Mapping[str, NDArray[Any]]]) -> torch.fx.GraphModule:
    """`module`, or a copy of it with modest masks if that gives the same outputs for every sample.

    Args:
        samples: inputs by name, in the order of the module's own.
    """
    if not any(word in str(node.target) for node in module.graph.nodes for word in _MASKED):
        return module
    graph = torch.fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    bounded = torch.fx.GraphModule(module, graph).eval()  # the weights are the same tensors
    if not [node for node in graph.nodes if _bound(bounded, node)]:
        return module
    bounded.recompile()
    return keep_if_equivalent(bounded, module, samples, _SAME)


def _bound(module: torch.fx.GraphModule, node: Any) -> bool:
    """Make the numbers of an operator's call, or the constant that a node holds, modest. Whether it was not."""
    if node.op == "get_attr":
        held = module
        for piece in node.target.split("."):
            held = getattr(held, piece)
        if not isinstance(held, torch.Tensor) or not held.is_floating_point() or not bool((held < _LEAST).any()):
            return False
        name = f"{node.name}_finite"
        module.register_buffer(name, held.detach().masked_fill(held < _LEAST, MASKED))
        node.target = name
        return True
    if node.op != "call_function" or "clamp" in str(node.target):
        return False
    before = node.args, node.kwargs
    node.args, node.kwargs = (torch.fx.node.map_aggregate(side, _modest) for side in before)
    return bool((node.args, node.kwargs) != before)


def _modest(value: Any) -> Any:
    return MASKED if isinstance(value, float) and value < _LEAST else value
