"""A graph as a torch module: each node a step, each constant that is needed as a tensor a weight."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import EdgekitError, Unsupported
from edgekit.formats.onnx.graph import Graph, Node
from edgekit.formats.onnx.translation.evaluation import evaluate
from edgekit.formats.onnx.translation.values import Held, Value, assume_fixed_axes, to_tensor


class Weights(nn.Module):
    """The constants of a graph, under their own names as far as Python has them."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def add(self, name: str, array: NDArray[Any]) -> str:
        """The name under which `array` is kept."""
        place = _unique(name, self)
        tensor = torch.from_numpy(np.array(array))  # a copy: a file's bytes are read-only
        if tensor.dtype.is_floating_point:
            self.register_parameter(place, nn.Parameter(tensor, requires_grad=False))
        else:
            self.register_buffer(place, tensor)
        return place

    def get(self, place: str) -> Tensor:
        self.used.add(place)
        tensor: Tensor = getattr(self, place)
        return tensor

    def tidy(self) -> None:
        """Drop what nobody has asked for."""
        for holder in (self._parameters, self._buffers):
            for place in [name for name in holder if name not in self.used]:
                del holder[place]


class Step(nn.Module):
    """A node."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def forward(self, *values: Value | None) -> tuple[Value | None, ...]:
        return evaluate(self.node, values)


class Branch(nn.Module):
    """An `If` whose condition follows from shapes."""

    def __init__(self, node: Node, weights: Weights) -> None:
        super().__init__()
        self.node = node
        self.then = Body(node.graphs["then_branch"], weights)
        self.otherwise = Body(node.graphs["else_branch"], weights)

    def forward(self, values: Mapping[str, Value]) -> tuple[Value | None, ...]:
        condition = values[self.node.inputs[0]]
        if isinstance(condition, Tensor):
            raise self.node.refusal(f"its condition {self.node.inputs[0]!r} depends on data, and not on shapes alone")
        chosen = self.then if bool(condition.array.reshape(-1)[0]) else self.otherwise
        answers: tuple[Value | None, ...] = chosen(values)
        return answers


class Body(nn.Module):
    """The steps of a graph."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        super().__init__()
        self.outputs = graph.outputs
        self.constants: dict[str, Held] = {}
        for name, array in graph.constants.items():
            place = weights.add(name, array)
            self.constants[name] = Held(array, partial(weights.get, place))
        self.order: list[tuple[str, Node]] = []
        for node in graph.nodes:
            if node.graphs and node.kind != "If":
                raise node.refusal("edgekit translates no loops")
            place = _unique(node.name or node.kind, self)
            self.add_module(place, Branch(node, weights) if node.kind == "If" else Step(node))
            self.order.append((place, node))
        self.current: Node | None = None

    def forward(self, outer: Mapping[str, Value]) -> tuple[Value | None, ...]:
        values: dict[str, Value] = {**outer, **self.constants}
        for place, node in self.order:
            self.current = node
            step = self.get_submodule(place)
            if node.kind == "If":
                answers = step(values)
            else:
                answers = step(*(self._value(node, values, name) for name in node.inputs))
            made = zip(node.outputs, answers, strict=False)
            values |= {name: answer for name, answer in made if name and answer is not None}
        missing = [name for name in self.outputs if name not in values]
        if missing:
            raise Unsupported(f"the output {missing[0]!r} of the graph comes from an output that edgekit lacks.")
        return tuple(values[name] for name in self.outputs)

    def _value(self, node: Node, values: Mapping[str, Value], name: str) -> Value | None:
        if name and name not in values:
            raise node.refusal(f"its input {name!r} is an output that edgekit does not compute")
        return values[name] if name else None


class Translated(nn.Module):
    """A graph that takes its inputs in their order, and gives a tensor, or a tuple of them if it has several outputs.

    Args:
        graph: with constants folded. fixed: whether no axis of the inputs is dynamic.
    """

    def __init__(self, graph: Graph, fixed: bool) -> None:
        super().__init__()
        self.inputs, self.fixed = graph.inputs, fixed
        self.weights = Weights()
        self.body = Body(graph, self.weights)  # "graph" is a name of TorchScript's own

    def forward(self, *tensors: Tensor) -> Any:
        with assume_fixed_axes(self.fixed):
            answers = self.body(dict(zip(self.inputs, tensors, strict=True)))
            out = tuple(to_tensor(answer) for answer in answers)
        return out[0] if len(out) == 1 else out

    def trial(self, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
        """Run once, and drop the weights that nobody asks for.

        Raises:
            Unsupported: an operator cannot be computed; its node is named.
        """
        try:
            with torch.no_grad():
                out = self(*tensors)
        except EdgekitError:
            raise
        except Exception as exc:  # torch raises many unrelated types; the node is what a reader needs
            node = self.body.current
            assert node is not None
            reason = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
            raise node.refusal(f"torch could not compute it ({reason})") from exc
        self.weights.tidy()
        return out if isinstance(out, tuple) else (out,)


class Widened(nn.Module):
    """A module whose inputs without axes, at `places`, come with one, of size 1, and whose outputs without axes leave
    so: for formats that know no scalars."""

    def __init__(self, module: nn.Module, places: Iterable[int]) -> None:
        super().__init__()
        self.module, self.places = module, frozenset(places)

    def forward(self, *tensors: Tensor) -> Any:
        narrow = (tensor.reshape(()) if place in self.places else tensor for place, tensor in enumerate(tensors))
        out = self.module(*narrow)
        return tuple(map(_unsqueeze_scalar, out)) if isinstance(out, tuple) else _unsqueeze_scalar(out)


def _unsqueeze_scalar(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() else tensor.reshape(1)


def _unique(name: str, module: nn.Module) -> str:
    """A name for a module's attribute: letters, digits and underscores, and not taken."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    plain = f"_{plain}" if plain[0].isdigit() else plain
    out, count = plain, 1
    while hasattr(module, out):
        count += 1
        out = f"{plain}_{count}"
    return out
