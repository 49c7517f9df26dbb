"""A rewritten network is kept only if it gives what the network gave: tried on samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, torch
from edgekit.numerics.masking import MASKED

Module: TypeAlias = "torch.fx.GraphModule"


def keep_if_equivalent(
    made: Module, module: Module, samples: Sequence[Mapping[str, NDArray[Any]]], most: float
) -> Module:
    """`made`, if its outputs are those of `module` for every sample, else `module`.

    Args:
        samples: inputs by name, in the order of the module's own.
        most: the largest difference that counts as the same, relative to the largest value of an output.
    """
    if made is module:
        return module
    with torch.inference_mode():
        for sample in samples:
            tensors = [torch.from_numpy(array.copy()) for array in sample.values()]
            pairs = zip(made(*tensors), module(*tensors), strict=True)
            if not all(_same(answer, wanted, most) for answer, wanted in pairs):
                return module
    return made


def told_apart(module: Module) -> Module:
    """`module`, whose outputs are values of their own: none is an input or a weight as it is, or another output
    once more.

    The formats name each value once, and an output that has an input's name is lost.
    """
    (last,) = (node for node in module.graph.nodes if node.op == "output")
    seen = {node for node in module.graph.nodes if node.op in ("placeholder", "get_attr")}
    outputs = []
    for value in last.args[0]:
        if isinstance(value, torch.fx.Node) and value in seen:
            with module.graph.inserting_before(last):
                boolean = value.meta["val"].dtype == torch.bool
                operator = torch.ops.aten.logical_or.default if boolean else torch.ops.aten.add.Tensor
                fresh = module.graph.call_function(operator, (value, value if boolean else 0))
                fresh.meta = dict(value.meta)
                value = fresh
        seen.add(value)
        outputs.append(value)
    last.args = (tuple(outputs),)
    module.recompile()
    return module


def _same(made: torch.Tensor, wanted: torch.Tensor, most: float) -> bool:
    if not wanted.is_floating_point() or not bool(wanted.isfinite().all()):
        return bool(made.equal(wanted))
    return not wanted.numel() or bool(((made - wanted).abs() <= most * wanted.abs().max() + 1e-9).all())


# Masks: a network fills them with minus infinity or the least float32, which is infinite in half precision, where 0
# times it is no number at all, and leaves no int8 for the rest. A number whose exponential is 0 does as well.

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
