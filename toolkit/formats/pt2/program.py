"""A checked program of a .pt2: its inputs, outputs, dynamic axes, operators and layers. Without torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.documents import parse_json
from edgekit.core import TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.formats.pt2 import archive, expressions, fields, operators
from edgekit.formats.pt2.drawing import drawing
from edgekit.formats.pt2.graph import Bound, Content, Graph, Module, Signature, Size

#: Operators whose result shares memory with what they take.
_VIEWS = frozenset(
    {
        *("select", "slice", "view", "reshape", "transpose", "t", "permute", "narrow", "unsqueeze", "squeeze"),
        *("expand", "as_strided", "detach", "alias", "diagonal", "unfold", "contiguous", "flatten"),
    }
)
#: What a program of a wrong form raises.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True)
class Range:
    """A dynamic axis: its least and largest size (None: no bound), and the size that it was traced with.

    `places` are the inputs and positions that have it, the first names it.
    """

    least: int
    most: int | None
    example: int
    places: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Program:
    """What a .pt2 computes.

    Attributes:
        inputs, outputs: tensors in the order of the call; axes by name (``INPUT_POSITION``, or an expression).
        ranges: dynamic axis of the inputs -> its range. operators: operator -> count, in all graphs.
        constants: positions of inputs that are no tensors -> their value.
        results: positions of the outputs that are tensors, among all. count: of all outputs.
        parameters: number of weights. torch_version: that wrote it.
        rows: input of whole numbers -> rows of the table that it looks up (0: it looks up none).
        module: its graph and signature. archive, content: the checked file and its clean program, for
            `edgekit.formats.pt2.rewrite`.
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ranges: Mapping[str, Range]
    operators: Mapping[str, int]
    constants: Mapping[int, Any]
    results: tuple[int, ...]
    parameters: int
    torch_version: str
    rows: Mapping[str, int]
    module: Module
    archive: archive.Archive
    content: dict[str, Any]

    @property
    def graph(self) -> Graph:
        """The outermost graph."""
        return self.module.graph

    def sizes(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor of the outermost graph, dynamic axes with the size that they were traced with; 1 for a
        size that only values tell, as of nonzero."""
        meta = self.graph.tensor_values.get(name)
        found = [size.hint for size in meta.sizes] if meta else []
        return tuple(1 if size is None else size for size in found)


def read(path: Path) -> Program:
    """The program in the .pt2 at `path`, every field checked; runs and unpickles nothing.

    Raises:
        BadInput: no .pt2, damaged, or with something that could run code or does not compute with tensors alone.
        Unsupported: it draws random numbers, or has bfloat16.
    """
    held = archive.open_archive(path)
    try:
        program = _build_program(held, fields.rebuilt(held.program))
    except (msgspec.ValidationError, *_DAMAGE) as exc:
        what = str(exc) if type(exc) is ValueError else f"a field of a wrong form ({exc})"
        raise BadInput(
            f"{path.name} was refused: it holds {what}.",
            hint="A .pt2 of torch.export.save(torch.export.export(module.eval(), inputs), path) is read.",
        ) from exc
    _check_dtypes(program)
    _check_sizes(program)
    _check_drawing(program)
    return program


def _check_dtypes(program: Program) -> None:
    """Raise Unsupported for bfloat16 that goes in, comes out, or is a weight: numpy and the formats lack it."""
    ends = [("input", program.inputs), ("output", program.outputs)]
    found = [f"the {side} {spec.name!r}" for side, specs in ends for spec in specs if spec.dtype == "bfloat16"]
    found += [f"the weight {name!r}" for name, one in program.archive.weights.items() if _is_brain(one)]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise Unsupported(
            f"{found[0]}{more} is in bfloat16, which no format here takes.",
            hint="Make it float32 before torch.export: network.float(), with inputs and outputs in float32.",
        )


def _check_sizes(program: Program) -> None:
    """Raise BadInput for a layer of width 0: formats and quantizers have none."""
    for name, weight in program.archive.weights.items():
        if weight.is_parameter and len(weight.sizes) > 1 and 0 in weight.sizes:
            raise BadInput(
                f"the network has a layer of width 0: its weight {name!r} has the shape {list(weight.sizes)}.",
                hint="Leave the layer out of the network.",
            )


def _is_brain(weight: archive.Payload) -> bool:
    return weight.is_parameter and archive.DTYPES[weight.dtype][0] == "bfloat16"


def _check_drawing(program: Program) -> None:
    """Raise Unsupported where the same inputs give other answers each time: nothing can be compared with it."""
    if drawn := drawing(program.content["graph_module"]["graph"]):
        raise Unsupported(
            f"the network draws random numbers ({', '.join(drawn)}), so the same inputs give other outputs each time.",
            hint="Export it in evaluation mode (module.eval()), or make the random numbers an input of the network.",
        )


def _build_program(held: archive.Archive, clean: dict[str, Any]) -> Program:
    content = msgspec.convert(clean, Content)
    graph, signature = content.graph_module.graph, content.graph_module.signature
    _check_weights(held, signature)
    _check_state(graph, signature)
    named, constants = _user_inputs(signature)
    names: dict[str, str] = {}
    ranges: dict[str, Range] = {}
    for name in named:
        _name_axes(name, graph.tensor_values[name].sizes, content.range_constraints, names, ranges)
    results = [
        (i, output.user_output.arg.tensor)
        for i, output in enumerate(signature.output_specs)
        if output.user_output.arg.tensor
    ]
    if not named or not results:
        raise ValueError("no tensor that goes in" if not named else "no tensor that comes out")
    labels = [
        f"{label}_out" if label in named else label  # the formats have one value of a name
        for label in _labels(held.program["graph_module"], len(signature.output_specs))
    ]
    counts = Counter(operators.short(node.target) for node in graph.all_nodes())
    return Program(
        path=held.path,
        inputs=tuple(_spec(name, name, graph, names) for name in named),
        outputs=tuple(_spec(labels[i], name, graph, names) for i, name in results),
        ranges=ranges,
        operators=dict(counts.most_common()),
        constants=constants,
        results=tuple(i for i, _ in results),
        parameters=_parameters(held),
        torch_version=content.torch_version,
        rows=_rows(graph, signature, held, named),
        module=content.graph_module,
        archive=held,
        content=clean,
    )


def _check_weights(held: archive.Archive, signature: Signature) -> None:
    """Raise ValueError for a weight that the signature names and the archive lacks."""
    for spec in signature.input_specs:
        if spec.weight and spec.weight.name not in held.weights and spec.weight.name not in held.constants:
            raise ValueError(f"no weight {spec.weight.name[:80]!r}, which its program uses")


def _check_state(graph: Graph, signature: Signature) -> None:
    """Raise ValueError for a step that changes a weight in place, also through a view of it."""
    weights = _weight_names(signature)
    for node in graph.nodes:
        first = node.inputs[0].arg.tensor if node.inputs else ""
        operator = operators.short(node.target)
        if first in weights and operator.endswith("_") and not operator.startswith("_"):
            raise ValueError(
                f"a step that changes its weight {weights[first]!r} ({operator}): let state be an input and an output, "
                "and export in eval mode"
            )
        if first in weights and operator in _VIEWS:
            weights |= {out.tensor: weights[first] for out in node.outputs if out.tensor}


def _weight_names(signature: Signature) -> dict[str, str]:
    """Name in the graph -> name in the archive."""
    return {spec.state.arg.name: spec.state.name for spec in signature.input_specs if spec.state}


def _user_inputs(signature: Signature) -> tuple[list[str], dict[int, Any]]:
    """Names of the tensors that a caller passes, and position -> value of what is no tensor."""
    named: list[str] = []
    constants: dict[int, Any] = {}
    place = 0
    for spec in signature.input_specs:
        if spec.constant_input:
            ((kind, value),) = spec.constant_input.value.items()
            constants[place] = None if kind == "as_none" else value
        elif spec.user_input:
            if not spec.user_input.arg.tensor:
                raise ValueError("an input that is a number; only tensors can be inputs")
            named.append(spec.user_input.arg.tensor)
        else:
            continue
        place += 1
    return named, constants


def _name_axes(
    tensor: str, sizes: list[Size], bounds: Mapping[str, Bound], names: dict[str, str], ranges: dict[str, Range]
) -> None:
    """Name the dynamic axes of an input in `names` (symbol -> axis), and collect their `ranges`."""
    for i, size in enumerate(sizes):
        if size.as_expr is None:
            continue
        if (example := size.hint) is None:
            raise ValueError("an axis whose size is known only while it runs")
        symbol = expressions.symbol_of(size.as_expr.expr_str)
        if not symbol:
            raise ValueError(f"the axis {i} of the input {tensor!r}, whose size follows from another's")
        axis = names.setdefault(symbol, f"{tensor}_{i}")
        held = ranges.get(axis)
        bound = bounds.get(symbol, Bound(None, None))
        # torch writes 2 where it means 1: it takes sizes of 1 for fixed ones while tracing.
        least, most = max(1, bound.min_val or 0), bound.max_val
        places = (*(held.places if held else ()), (tensor, i))
        ranges[axis] = Range(least, most if most is None or most < 2**31 else None, example, places)


def _spec(label: str, tensor: str, graph: Graph, names: Mapping[str, str]) -> TensorSpec:
    meta = graph.tensor_values[tensor]
    shape: list[int | str] = []
    for i, size in enumerate(meta.sizes):
        if size.as_int is not None:
            shape.append(size.as_int)
        elif size.as_expr:
            symbol = expressions.symbol_of(size.as_expr.expr_str)
            shape.append(names.get(symbol, f"{label}_{i}"))
    return TensorSpec(label, archive.DTYPES[meta.dtype][0], tuple(shape))


def _labels(module: Mapping[str, Any], count: int) -> list[str]:
    """Names of the outputs, from the structure that the module returned: keys, fields, else positions."""
    fallback = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    try:
        calls = [call for call in module["module_call_graph"] if call["fqn"] == ""]
        tree = parse_json(calls[0]["signature"]["out_spec"], "out_spec")[1]
        paths = list(_leaves(tree, (), module.get("treespec_namedtuple_fields") or {}, 0))
    except (BadInput, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return fallback
    labels = ["_".join(path) if any(not step.isdigit() for step in path) else "" for path in paths]
    labels = [label or fallback[i] for i, label in enumerate(labels[:count])]
    plain = all(label.isidentifier() and label.isascii() and len(label) < 200 for label in labels)
    return labels if len(labels) == count == len(set(labels)) and plain else fallback


def _leaves(tree: Any, path: tuple[str, ...], tuples: Mapping[str, Any], depth: int) -> Iterator[tuple[str, ...]]:
    if depth > 20:
        raise ValueError("a deep tree")
    children = tree["children_spec"]
    if tree["type"] is None:
        yield path
        return
    keys = [str(i) for i in range(len(children))]
    if tree["type"] in ("builtins.dict", "collections.OrderedDict"):
        keys = [str(key) for key in parse_json(tree["context"], "a tree")]
    elif tree["type"] == "collections.namedtuple":
        keys = [str(key) for key in tuples[parse_json(tree["context"], "a tree")]["field_names"]]
    for key, child in zip(keys, children, strict=True):
        yield from _leaves(child, (*path, key), tuples, depth + 1)


def _parameters(held: archive.Archive) -> int:
    """Weights, shared ones once; of a module without parameters its float buffers."""
    payloads = [*held.weights.values(), *held.constants.values()]
    counted = [payload for payload in payloads if payload.is_parameter] or [p for p in payloads if p.dtype in (6, 7)]
    return sum({(payload.member, payload.offset): payload.elements for payload in counted}.values())


def _rows(graph: Graph, signature: Signature, held: archive.Archive, named: list[str]) -> dict[str, int]:
    """Input -> rows of the embedding that it looks up."""
    weights = _weight_names(signature)
    rows = dict.fromkeys(named, 0)
    for node in graph.nodes:
        if operators.short(node.target) == "embedding":
            table, index = (entry.arg.tensor for entry in node.inputs[:2])
            payload = held.weights.get(weights.get(table, ""))
            if index in rows and payload:
                rows[index] = min(rows[index] or math.inf, payload.sizes[0])  # type: ignore[assignment]
    return rows
