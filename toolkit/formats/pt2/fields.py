"""The JSON of a .pt2, rebuilt field by field: what is not known here is refused, what is not needed is dropped.

torch makes Python source of names in it, looks operators up in its own module and evaluates sizes; so names must be
names (`checks.name`), operators of a list (`operators`), sizes arithmetic (`expressions`). Stack traces, guards and
signatures of inner modules are dropped, and every device is the processor.
"""

from __future__ import annotations

import re
from typing import Any

from edgekit.core import Json
from edgekit.formats.pt2 import checks, expressions, operators
from edgekit.formats.pt2.archive import DTYPES
from edgekit.formats.pt2.checks import Check

_MODULES = re.compile(r"[\w.,;@<>\[\]\"' ()-]*")


def rebuilt(program: Any) -> dict[str, Json]:
    """The program, clean. Raises ValueError that says what is wrong with it."""
    clean: dict[str, Json] = _PROGRAM(program)
    clean["guards_code"] = []
    return clean


def _dialect(data: Any) -> str:
    if data not in ("TRAINING", "ATEN", "EDGE"):
        raise ValueError(f"the dialect {str(data)[:40]!r}, which is not read")
    return str(data)


def _expression(data: Any) -> str:
    expressions.check(str(data))
    return str(data)


def _symbol(data: Any) -> str:
    if not expressions.SYMBOL.fullmatch(str(data)):
        raise ValueError(f"{str(data)[:40]!r} for the name of a size")
    return str(data)


def _dtype(data: Any) -> int:
    if checks.integer(data) not in DTYPES:
        raise ValueError(f"a tensor of the dtype {data}, which is not supported")
    return int(data)


def _layout(data: Any) -> int:
    if data != 7:
        raise ValueError(f"a tensor of the layout {data}, which is not supported")
    return 7


def _processor(data: Any) -> dict[str, Json]:
    return {"type": "cpu", "index": None}


def _metadata(data: Any) -> dict[str, str]:
    """The modules that a node came from, for names of layers; nothing else of it is needed."""
    stack = data.get("nn_module_stack", "") if isinstance(data, dict) else ""
    plain = isinstance(stack, str) and len(stack) < 10_000 and _MODULES.fullmatch(stack)
    return {"nn_module_stack": stack} if stack and plain else {}


def _argument(target: str) -> Check:
    """The check of a value that the operator `target` takes; "" where no operator takes it."""

    def text(data: Any) -> str:
        operators.check_text(target, str(data))
        return str(data)

    def inner(data: Any) -> Any:
        if operators.short(target) not in operators.CONTROL:
            raise ValueError(f"a graph inside {target[:60]!r}")
        return checks.record({"name": checks.name, "graph": _graph})(data)

    tensor = checks.record({"name": checks.name})
    maybe = checks.either({"as_tensor": tensor, "as_none": checks.any_value})
    sym_int, sym_float, sym_bool = (
        checks.either({"as_name": checks.name, kind: value})
        for kind, value in (("as_int", checks.integer), ("as_float", checks.number), ("as_bool", checks.flag))
    )
    return checks.either(
        {
            "as_none": checks.any_value,
            "as_tensor": tensor,
            "as_tensors": checks.each(tensor),
            "as_int": checks.integer,
            "as_ints": checks.each(checks.integer),
            "as_float": checks.number,
            "as_floats": checks.each(checks.number),
            "as_bool": checks.flag,
            "as_bools": checks.each(checks.flag),
            "as_sym_int": sym_int,
            "as_sym_ints": checks.each(sym_int),
            "as_sym_float": sym_float,
            "as_sym_floats": checks.each(sym_float),
            "as_sym_bool": sym_bool,
            "as_sym_bools": checks.each(sym_bool),
            "as_scalar_type": _dtype,
            "as_memory_format": checks.integer,
            "as_layout": _layout,
            "as_device": _processor,
            "as_string": text,
            "as_optional_tensor": maybe,
            "as_optional_tensors": checks.each(maybe),
            "as_complex": checks.record({"real": checks.number, "imag": checks.number}),
            "as_graph": inner,
        }
    )


def _node(data: Any) -> dict[str, Json]:
    target = data.get("target") if isinstance(data, dict) else None
    if not isinstance(target, str):
        raise ValueError("a step without an operator")
    operators.check(target)
    named = checks.record(
        {"name": checks.optional(_check_argument), "arg": _argument(target)}, {"kind": checks.optional(checks.integer)}
    )
    clean = checks.record(
        {"target": str, "inputs": checks.each(named), "outputs": checks.each(_argument(target)), "metadata": _metadata},
        {"is_hop_single_tensor_return": checks.optional(checks.flag), "name": checks.optional(checks.name)},
    )
    return dict(clean(data))


def _check_argument(data: Any) -> str:
    """Names of arguments are looked up in an operator's schema: ``from``, ``lambda`` are such names; "" has none."""
    if data != "" and not (isinstance(data, str) and data.isascii() and data.isidentifier() and len(data) < 100):
        raise ValueError(f"{str(data)[:40]!r} for the name of an argument")
    return str(data)


def _graph(data: Any) -> dict[str, Json]:
    return dict(_GRAPH(data))


_HINT = checks.either({"as_int": checks.integer, "as_bool": checks.flag, "as_float": checks.number})
_EXPRESSION = checks.record({"expr_str": _expression}, {"hint": checks.optional(_HINT)})
_SIZE = checks.either({"as_int": checks.integer, "as_expr": _EXPRESSION})
_TENSOR = checks.record(
    {
        "dtype": _dtype,
        "sizes": checks.each(_SIZE),
        "requires_grad": checks.flag,
        "device": _processor,
        "strides": checks.each(_SIZE),
        "storage_offset": _SIZE,
        "layout": _layout,
    }
)
_GRAPH = checks.record(
    {
        "inputs": checks.each(_argument("")),
        "outputs": checks.each(_argument("")),
        "nodes": checks.each(_node),
        "tensor_values": checks.table(checks.name, _TENSOR),
        "sym_int_values": checks.table(checks.name, _SIZE),
        "sym_bool_values": checks.table(checks.name, checks.either({"as_expr": _EXPRESSION, "as_bool": checks.flag})),
    },
    {
        "sym_float_values": checks.table(
            checks.name, checks.either({"as_expr": _EXPRESSION, "as_float": checks.number})
        ),
        "is_single_tensor_return": checks.flag,
        "custom_obj_values": checks.table(checks.refuse("an object of its own class"), checks.any_value),
    },
)
_HELD = checks.record({"name": checks.name})
_CONSTANT = checks.either(
    {
        "as_none": checks.any_value,
        "as_int": checks.integer,
        "as_float": checks.number,
        "as_bool": checks.flag,
        "as_string": checks.word,
    }
)
_INPUT = checks.either(
    {
        "user_input": checks.record({"arg": _argument("")}),
        "parameter": checks.record({"arg": _HELD, "parameter_name": checks.weight_name}),
        "buffer": checks.record({"arg": _HELD, "buffer_name": checks.weight_name, "persistent": checks.flag}),
        "tensor_constant": checks.record({"arg": _HELD, "tensor_constant_name": checks.weight_name}),
        "constant_input": checks.record({"name": checks.name, "value": _CONSTANT}),
    }
)
_CHANGED = "an output that changes a weight or an input: export the module in eval mode, without state"
_OUTPUT = checks.either(
    {
        "user_output": checks.record({"arg": _argument("")}),
        **dict.fromkeys(("buffer_mutation", "parameter_mutation", "user_input_mutation"), checks.refuse(_CHANGED)),
    }
)
_RANGE = checks.record({"min_val": checks.optional(checks.integer), "max_val": checks.optional(checks.integer)})
_PROGRAM = checks.record(
    {
        "graph_module": checks.record(
            {
                "graph": _graph,
                "signature": checks.record({"input_specs": checks.each(_INPUT), "output_specs": checks.each(_OUTPUT)}),
                "module_call_graph": lambda data: data,  # replaced, see `rewrite`
            },
            {"metadata": checks.drop_field, "treespec_namedtuple_fields": checks.drop_field},
        ),
        "opset_version": checks.table(checks.name, checks.integer),
        "range_constraints": checks.table(_symbol, _RANGE),
        "schema_version": checks.record({"major": checks.integer, "minor": checks.integer}),
    },
    {"verifiers": checks.each(_dialect), "torch_version": checks.word, "guards_code": checks.drop_field},
)
