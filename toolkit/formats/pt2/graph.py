"""What of a checked program is read here, by the names of torch's schema. What has no field is left out."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class Named(msgspec.Struct):
    """A value, by its name in the graph."""

    name: str


class Hint(msgspec.Struct):
    """The size that an expression had while it was traced; None: its value was no whole number."""

    as_int: int | None = None


class Expression(msgspec.Struct):
    """A size that follows from symbols, such as ``s0``."""

    expr_str: str
    hint: Hint | None = None


class Size(msgspec.Struct):
    """A number, or an expression."""

    as_int: int | None = None
    as_expr: Expression | None = None

    @property
    def hint(self) -> int | None:
        """The number, or that which it was traced with; None: only values tell it."""
        if self.as_expr is None:
            return self.as_int
        return self.as_expr.hint.as_int if self.as_expr.hint else None


class Meta(msgspec.Struct):
    """A tensor: the number of its dtype (`edgekit.formats.pt2.archive.DTYPES`), and its sizes."""

    dtype: int
    sizes: list[Size]


class Inner(msgspec.Struct):
    """A graph that an operator of control flow takes."""

    graph: Graph


class Argument(msgspec.Struct):
    """A value; of another kind than these it has no field."""

    as_tensor: Named | None = None
    as_tensors: list[Named] = []
    as_graph: Inner | None = None

    @property
    def tensor(self) -> str:
        """Its name; "": it is none."""
        return self.as_tensor.name if self.as_tensor else ""

    @property
    def tensors(self) -> list[str]:
        """The names of the tensors in it, none where it is another value."""
        return [item.name for item in ([self.as_tensor] if self.as_tensor else self.as_tensors)]


class Given(msgspec.Struct):
    """A value that a step or a caller gives or takes."""

    arg: Argument


class Node(msgspec.Struct):
    """A step: `target` is its operator, as ``torch.ops.aten.add.Tensor``."""

    target: str
    inputs: list[Given]
    outputs: list[Argument]


class Graph(msgspec.Struct):
    """Steps in order, and by its name what each tensor is."""

    nodes: list[Node]
    tensor_values: dict[str, Meta]

    def all_nodes(self) -> Iterator[Node]:
        """The steps of this graph and of the graphs in it."""
        for node in self.nodes:
            yield node
            for entry in node.inputs:
                if entry.arg.as_graph is not None:
                    yield from entry.arg.as_graph.graph.all_nodes()


class Weight(msgspec.Struct):
    """Its name in the graph, and by its kind in the archive."""

    arg: Named
    parameter_name: str = ""
    buffer_name: str = ""
    tensor_constant_name: str = ""

    @property
    def name(self) -> str:
        """That in the archive."""
        return self.parameter_name or self.buffer_name or self.tensor_constant_name


class Fixed(msgspec.Struct):
    """An input that is no tensor: its kind (``as_int``, ``as_none``) -> its value."""

    value: dict[str, bool | int | float | str]


class Input(msgspec.Struct):
    """What the graph takes: one of these."""

    user_input: Given | None = None
    parameter: Weight | None = None
    buffer: Weight | None = None
    tensor_constant: Weight | None = None
    constant_input: Fixed | None = None

    @property
    def state(self) -> Weight | None:
        """A weight that a step may not change."""
        return self.parameter or self.buffer

    @property
    def weight(self) -> Weight | None:
        """A weight or a constant."""
        return self.state or self.tensor_constant


class Output(msgspec.Struct):
    """What the module returns; the other kinds of outputs are refused."""

    user_output: Given


class Signature(msgspec.Struct):
    """What the graph takes, weights among them, and gives, each in order."""

    input_specs: list[Input]
    output_specs: list[Output]


class Module(msgspec.Struct):
    """The outermost graph with its signature."""

    graph: Graph
    signature: Signature


class Bound(msgspec.Struct):
    """Least and largest value of a symbol; None: no bound."""

    min_val: int | None
    max_val: int | None


class Content(msgspec.Struct):
    """The program of a .pt2."""

    graph_module: Module
    range_constraints: dict[str, Bound]
    torch_version: str = ""
