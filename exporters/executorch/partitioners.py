"""What ExecuTorch's partitioners for other units would take of a part: they tag its nodes, and nothing is compiled.

Imported where somebody asks, for it takes seconds: Apple's tools come with it. They talk; the caller is quiet.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from executorch.backends.apple.coreml.partition import CoreMLPartitioner
from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
from executorch.exir.backend.partitioner import Partitioner, PartitionResult
from torch.fx import Node

from edgekit.core import Placement, share_of
from edgekit.exporters.executorch.api import to_edge_transform_and_lower
from edgekit.exporters.executorch.tidy import name_of

_PARTITIONERS = {"Core ML": CoreMLPartitioner, "Vulkan": VulkanPartitioner}
#: Operators that multiply and add up, but for convolutions -> which of their arguments is the first factor.
_PRODUCTS = {"linear": 0, "mm": 0, "bmm": 0, "matmul": 0, "addmm": 1}


def ask_partitioners(exported: Any) -> dict[str, Any]:
    """Unit -> its `Placement` of a program in float (JSON-able). Raises what ExecuTorch raises."""
    found = {}
    for unit, partitioner in _PARTITIONERS.items():
        asked = _Asked(partitioner())
        to_edge_transform_and_lower(exported, partitioner=[asked])
        found[unit] = asdict(place_nodes(f"{unit} in float, which gets no file here", asked.tags, asked.inputs))
    return found


class _Asked(Partitioner):  # type: ignore[misc]
    """Keeps what a partitioner tags, and takes nothing."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.ops_to_not_decompose, self._inner = inner.ops_to_not_decompose, inner

    def partition(self, program: Any) -> Any:
        """The program as it came."""
        self._inner.partition(program)
        self.inputs = {*program.graph_signature.user_inputs}
        self.tags = {node: node.meta.pop("delegation_tag", None) for node in program.graph.nodes}
        return PartitionResult(program, {})


def place_nodes(unit: str, tags: Mapping[Node, str | None], inputs: Collection[str]) -> Placement:
    """What `unit` takes of a graph.

    Args:
        tags: of its nodes, by the piece that takes each. inputs: names of the part's own inputs; others are weights.
    """
    work = {node: _count_multiplications(node) for node in tags if node.op == "call_function"}
    held = [node for node in tags if node.op == "placeholder" and node.users and node.name not in inputs]
    sizes = {node: math.prod(_shape(node)) * node.meta["val"].element_size() for node in held}
    of_work, of_sizes = (
        share_of(sum(n for at, n in one.items() if tags[at]), sum(one.values())) for one in (work, sizes)
    )
    off = sorted((node for node in work if not tags[node]), key=lambda node: -work[node])
    left = {name_of(node): f"{_operator(node)} is not taken in this form" for node in off}
    by, pieces = f"executorch {version('executorch')}", len({*tags.values()} - {None})
    return Placement(unit, by, "estimated", of_work, of_sizes, pieces, left)


def _operator(node: Node) -> str:
    """``"convolution"`` of ``aten.convolution.default``."""
    return str(getattr(node.target, "__name__", node.target)).split(".")[-2:][0]


def _count_multiplications(node: Node) -> int:
    operator, factors = _operator(node), node.args
    if "conv" in operator:
        turned = "transpose" in operator or (operator == "convolution" and factors[6])
        return math.prod(_shape(factors[0] if turned else node)) * math.prod(_shape(factors[1])[1:])
    if operator == "scaled_dot_product_attention":
        return 2 * math.prod(_shape(factors[0])) * _shape(factors[1])[-2]
    return math.prod(_shape(node)) * _shape(factors[_PRODUCTS[operator]])[-1] if operator in _PRODUCTS else 0


def _shape(node: Any) -> list[int]:
    """Of axes that are dynamic, the size that the network was captured with."""
    return [size if isinstance(size, int) else size.node.hint for size in node.meta["val"].shape]
