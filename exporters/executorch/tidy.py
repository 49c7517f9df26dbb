"""Making an exported graph one that XNNPACK takes in large pieces, without changing what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from edgekit.common.lazy import NDArray
from edgekit.exporters.executorch.api import fuse_batch_normalization
from edgekit.quantization.weights.identifiers import Converted, Identifiers

#: torch declares what a node's arguments may be so widely that nothing can be said of them.
Node = Any
Graph = Any

_aten = torch.ops.aten
#: Operators with weights, in graphs of torch.export.
CONVOLUTIONS = (_aten.conv1d.default, _aten.conv2d.default, _aten.convolution.default)
PRODUCTS = (_aten.linear.default,)
WEIGHTED = (*CONVOLUTIONS, *PRODUCTS)
#: Where operators hold weights, and the axis of their outputs.
_HOLDERS = {
    **dict.fromkeys(WEIGHTED, (1, 0)),
    _aten.embedding.default: (0, 0),
    _aten.matmul.default: (1, -1),
    _aten.lstm.input: (2, 0),
}
#: What torch keeps of a node through every later pass.
_LAYER = "edgekit.layer"
_ARITHMETIC = (_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.div.Tensor)


def tidy(graph: Graph) -> None:
    """Fold batch normalization and padding into convolutions; write the rest, ReLU6 and means as XNNPACK knows them."""
    fuse_batch_normalization(graph)
    for node in list(graph.graph.nodes):
        if node.target is _aten._assert_tensor_metadata.default:
            graph.graph.erase_node(node)
        elif node.target is _aten.dropout.default and not node.args[2]:  # does nothing, and PT2E loses its trail there
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
        elif node.target is _aten.cat.default and len(node.args[0]) == 1:
            node.replace_all_uses_with(node.args[0][0])
            graph.graph.erase_node(node)
    for node in list(graph.graph.nodes):
        if node.target is _aten.mean.dim:
            _pool(graph, node)
        elif node.target in (_aten.relu6.default, _aten.relu6_.default, _aten.hardtanh_.default):
            limits = node.args[1:] if node.target is _aten.hardtanh_.default else (0.0, 6.0)
            node.target, node.args = _aten.hardtanh.default, (node.args[0], *limits)
        elif node.target in (_aten.conv1d.default, _aten.conv2d.default):
            _fold_padding(node)
        elif node.target is _aten.batch_norm.default:
            _depthwise(graph, node)
        elif node.target is _aten.to.dtype:
            _float_first(graph, node)
        elif node.target in _ARITHMETIC and isinstance(node.args[1], int) and node.meta["val"].is_floating_point():
            node.args = (
                node.args[0],
                float(node.args[1]),
                *node.args[2:],
            )  # or it is a tensor that is cast at every call
    for node in graph.graph.nodes:
        if node.op == "call_function":
            node.meta["custom"] = {**node.meta.get("custom", {}), _LAYER: name_of(node)}
    graph.graph.eliminate_dead_code()
    graph.recompile()


def name_of(node: Node) -> str:
    """A layer, by the module that it is of: "blocks.0.depthwise.conv"."""
    if told := node.meta.get("custom", {}).get(_LAYER):
        return str(told)
    stack = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
    path = stack[-1] if stack else ""
    for wrapper in ("L['self']", "module"):
        path = path.removeprefix(wrapper).removeprefix(".")
    return path or str(node.name)


def name_layers(graph: Graph, weights: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Give the layers of a tidy graph the names that they have in the source (parameter -> its values); those that it
    has not -> how many weights they hold."""
    nodes, layers = {node.name: node for node in graph.graph.nodes if node.target in _HOLDERS}, dict[str, Converted]()
    for own, node in nodes.items():
        place, axis = _HOLDERS[node.target]
        holder, *others = node.args[2] if node.target is _aten.lstm.input else [node.args[place]]
        if holder.op == "get_attr" and constant_of(graph, holder).ndim > 1:
            turned = node.target is _aten.convolution.default and node.args[6]
            more = [constant_of(graph, other).numpy() for other in others if other.op == "get_attr"]
            layers[own] = Converted(
                constant_of(graph, holder).numpy(),
                1 if turned else axis,
                name_of(node),
                [held for held in more if held.ndim > 1],
            )
    names, lost = Identifiers(weights).names(layers)
    for own, name in names.items():
        nodes[own].meta["custom"] = {**nodes[own].meta.get("custom", {}), _LAYER: name}
    return lost


def constant_of(graph: Graph, node: Node) -> torch.Tensor:
    """The constant of a get_attr node, to be changed in place."""
    owner, _, name = str(node.target).rpartition(".")
    found: torch.Tensor = getattr(graph.get_submodule(owner), name)
    return found.data


def constant_padding(node: Any) -> list[int] | None:
    """The amounts, last axis first, where `node` pads with zeros; else None."""
    if getattr(node, "target", None) not in (_aten.pad.default, _aten.constant_pad_nd.default):
        return None
    mode = node.args[2] if node.target is _aten.pad.default and len(node.args) > 2 else "constant"
    value = node.args[-1] if len(node.args) > (3 if node.target is _aten.pad.default else 2) else 0.0
    amounts = list(node.args[1])
    zeros = mode == "constant" and not value and all(isinstance(n, int) and n >= 0 for n in amounts)
    return amounts if zeros else None


def _fold_padding(convolution: Node) -> None:
    """A convolution pads by itself, as long as it is by the same on both sides."""
    pad = convolution.args[0]
    amounts = constant_padding(pad)
    if amounts is None:
        return
    rank = len(convolution.args[1].meta["val"].shape) - 2
    given = list(convolution.args)
    source, weight, bias, stride, own, *others = given + [None, 1, 0][len(given) - 2 :]
    before, after = amounts[0 : 2 * rank : 2], amounts[1 : 2 * rank : 2]
    if before != after or any(amounts[2 * rank :]) or isinstance(own, str):
        return
    own = [own] * rank if isinstance(own, int) else list(own) * (rank // len(own))
    stride = [stride] * rank if isinstance(stride, int) else stride
    total = [mine + more for mine, more in zip(own, reversed(before), strict=True)]
    convolution.args = (source.args[0], weight, bias, stride, total, *others)


def _pool(graph: Graph, node: Node) -> None:
    """A mean over the image axes keeps them: XNNPACK pools only so, and the portable mean is slow."""
    value, axes = node.args[0].meta["val"], node.args[1]
    if node.kwargs or value.ndim != 4 or sorted(axis % 4 for axis in axes) != [2, 3]:
        return
    if len(node.args) > 2 and node.args[2]:
        return
    with graph.graph.inserting_before(node):
        pooled = _call(graph, node, _aten.mean.dim, (node.args[0], [2, 3], True))
        flat = _call(graph, node, _aten.flatten.using_ints, (pooled, 1))
    node.replace_all_uses_with(flat)
    graph.graph.erase_node(node)


def _depthwise(graph: Graph, node: Node) -> None:
    """A batch normalization that no convolution is before becomes one of a single tap for every channel.

    XNNPACK's passes write it so as well, but in float, and then refuse it between int8 layers. A scale for every
    channel is exact for the one weight that each has.
    """
    source, *statistics, training, _, epsilon = node.args[:8]
    rank = source.meta["val"].ndim - 2
    if training or rank not in (1, 2) or any(one is not None and one.op != "get_attr" for one in statistics):
        return
    gain, shift, mean, variance = (
        None if one is None else _module_tensor(graph, one.target).detach() for one in statistics
    )
    if mean is None or variance is None:
        return
    scale = torch.rsqrt(variance + epsilon)
    scale = scale if gain is None else scale * gain
    constants = []
    for what, value in (
        ("weight", scale.reshape(-1, 1, *[1] * rank)),
        ("bias", -mean * scale if shift is None else shift - mean * scale),
    ):
        name = f"{node.name}_{what}"
        graph.register_parameter(name, torch.nn.Parameter(value.contiguous(), requires_grad=False))
        with graph.graph.inserting_before(node):
            constants.append(graph.graph.get_attr(name))
        with source.meta["val"].fake_mode as mode:
            constants[-1].meta["val"] = mode.from_tensor(value, static_shapes=True)
    convolution = (_aten.conv1d.default, _aten.conv2d.default)[rank - 1]
    with graph.graph.inserting_before(node):
        scaled = _call(
            graph, node, convolution, (source, *constants, [1] * rank, [0] * rank, [1] * rank, int(scale.numel()))
        )
    node.replace_all_uses_with(scaled)
    graph.graph.erase_node(node)


def _module_tensor(graph: Graph, path: str) -> torch.Tensor:
    owner, _, name = path.rpartition(".")
    found: torch.Tensor = getattr(graph.get_submodule(owner), name)
    return found


def _float_first(graph: Graph, node: Node) -> None:
    """Pixels become floats before their axes change places: XNNPACK moves floats only."""
    moved, dtype = node.args[0], node.args[1]
    if moved.target is not _aten.permute.default or len(moved.users) > 1 or not dtype.is_floating_point:
        return
    with graph.graph.inserting_before(node):
        floats = _call(graph, node, node.target, (moved.args[0], dtype))
        permuted = _call(graph, node, moved.target, (floats, moved.args[1]))
    node.replace_all_uses_with(permuted)
    graph.graph.erase_node(node)


def _call(graph: Graph, like: Node, target: Any, args: tuple[Any, ...]) -> Node:
    """A node that belongs to the same module as the node `like`."""
    node = graph.graph.call_function(target, args)
    node.meta = {name: like.meta[name] for name in ("nn_module_stack", "stack_trace") if name in like.meta}
    node.meta["val"] = target(*(one.meta["val"] if hasattr(one, "meta") else one for one in args))
    return node
