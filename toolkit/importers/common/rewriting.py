"""A rewritten network is kept only if it gives what the network gave: tried on samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, torch

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
