"""The JSON of a .pt2, rebuilt field by field: what is not known here is refused, what is not needed is dropped.

torch makes Python source of names in it, looks operators up in its own module and evaluates sizes; so names must be
names (`_name`), operators of a list (`operators`), sizes arithmetic (`expressions`). Stack traces, guards and
signatures of inner modules are dropped, and every device is the processor.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.formats.pt2 import expressions, operators
from edgekit.formats.pt2.archive import DTYPES

__all__ = ["rebuilt"]

Check = Callable[[Any], Any]
_DOTTED = re.compile(r"\w+(\.\w+)*", re.ASCII)
_MODULES = re.compile(r"[\w.,;@<>\[\]\"' ()-]*")
_INFINITE = ("Infinity", "-Infinity", "NaN")


def rebuilt(program: Any) -> dict[str, Any]:
    """The program, clean. Raises ValueError that says what is wrong with it."""
    clean: dict[str, Any] = _PROGRAM(program)
    clean["guards_code"] = []
    return clean


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    fields = {**required, **(optional or {})}

    def check(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict) or (lacking := required.keys() - data.keys()):
            raise ValueError(f"an entry without {min(lacking) if isinstance(data, dict) else 'fields'}")
        if unknown := data.keys() - fields.keys():
            raise ValueError(f"the field {min(unknown)[:60]!r}, which is not known: is it of a newer torch?")
        return {key: fields[key](value) for key, value in data.items() if fields[key] is not _dropped}

    return check


def _either(alternatives: Mapping[str, Check]) -> Check:
    def check(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict) or len(data) != 1:
            raise ValueError("a value of no kind, or of several")
        key, value = next(iter(data.items()))
        if key not in alternatives:
            raise ValueError(f"a value of the kind {str(key)[:60]!r}, which is not read")
        return {key: alternatives[key](value)}

    return check


def _each(item: Check) -> Check:
    def check(data: Any) -> list[Any]:
        if not isinstance(data, list):
            raise ValueError("a single value in place of a list")
        return [item(value) for value in data]

    return check


def _table(key: Check, item: Check) -> Check:
    def check(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValueError("a single value in place of a table")
        return {key(name): item(value) for name, value in data.items()}

    return check


def _optional(item: Check) -> Check:
    return lambda data: None if data is None else item(data)


def _integer(data: Any) -> int:
    if type(data) is not int or abs(data) >= 2**63:
        raise ValueError(f"{str(data)[:40]!r} for a whole number")
    return data


def _number(data: Any) -> Any:
    if data in _INFINITE or (isinstance(data, int | float) and not isinstance(data, bool)):
        return data
    raise ValueError(f"{str(data)[:40]!r} for a number")


def _flag(data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"{str(data)[:40]!r} for true or false")
    return data


def _name(data: Any) -> str:
    if not isinstance(data, str) or len(data) > 300 or not data.isascii():
        raise ValueError(f"{str(data)[:40]!r} for a name")
    if not data.isidentifier() or keyword.iskeyword(data):
        raise ValueError(f"{data[:40]!r} for a name")
    return data


def _dotted(data: Any) -> str:
    if not isinstance(data, str) or len(data) > 1000 or not _DOTTED.fullmatch(data):
        raise ValueError(f"{str(data)[:40]!r} for the name of a weight")
    return data


def _plain(data: Any) -> str:
    if not isinstance(data, str) or not re.fullmatch(r"[\x20-\x7e]{0,200}", data):
        raise ValueError(f"{str(data)[:40]!r} for a word")
    return data


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
    if _integer(data) not in DTYPES:
        raise ValueError(f"a tensor of the dtype {data}, which is not supported")
    return int(data)


def _strided(data: Any) -> int:
    if data != 7:
        raise ValueError(f"a tensor of the layout {data}, which is not supported")
    return 7


def _processor(data: Any) -> dict[str, Any]:
    return {"type": "cpu", "index": None}


def _none(data: Any) -> Any:
    return True


def _refused(what: str) -> Check:
    def check(data: Any) -> Any:
        raise ValueError(what)

    return check


def _dropped(data: Any) -> Any:
    raise AssertionError("a dropped field is never checked")


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
        return _record({"name": _name, "graph": _graph})(data)

    tensor = _record({"name": _name})
    maybe = _either({"as_tensor": tensor, "as_none": _none})
    sym_int, sym_float, sym_bool = (
        _either({"as_name": _name, kind: value})
        for kind, value in (("as_int", _integer), ("as_float", _number), ("as_bool", _flag))
    )
    return _either(
        {
            "as_none": _none,
            "as_tensor": tensor,
            "as_tensors": _each(tensor),
            "as_int": _integer,
            "as_ints": _each(_integer),
            "as_float": _number,
            "as_floats": _each(_number),
            "as_bool": _flag,
            "as_bools": _each(_flag),
            "as_sym_int": sym_int,
            "as_sym_ints": _each(sym_int),
            "as_sym_float": sym_float,
            "as_sym_floats": _each(sym_float),
            "as_sym_bool": sym_bool,
            "as_sym_bools": _each(sym_bool),
            "as_scalar_type": _dtype,
            "as_memory_format": _integer,
            "as_layout": _strided,
            "as_device": _processor,
            "as_string": text,
            "as_optional_tensor": maybe,
            "as_optional_tensors": _each(maybe),
            "as_complex": _record({"real": _number, "imag": _number}),
            "as_graph": inner,
        }
    )


def _node(data: Any) -> dict[str, Any]:
    target = data.get("target") if isinstance(data, dict) else None
    if not isinstance(target, str):
        raise ValueError("a step without an operator")
    operators.check(target)
    named = _record({"name": _optional(_argument_name), "arg": _argument(target)}, {"kind": _optional(_integer)})
    clean = _record(
        {"target": str, "inputs": _each(named), "outputs": _each(_argument(target)), "metadata": _metadata},
        {"is_hop_single_tensor_return": _optional(_flag), "name": _optional(_name)},
    )
    return dict(clean(data))


def _argument_name(data: Any) -> str:
    """Names of arguments are looked up in an operator's schema: ``from``, ``lambda`` are such names; "" has none."""
    if data != "" and not (isinstance(data, str) and data.isascii() and data.isidentifier() and len(data) < 100):
        raise ValueError(f"{str(data)[:40]!r} for the name of an argument")
    return str(data)


def _graph(data: Any) -> dict[str, Any]:
    return dict(_GRAPH(data))


_HINT = _either({"as_int": _integer, "as_bool": _flag, "as_float": _number})
_EXPRESSION = _record({"expr_str": _expression}, {"hint": _optional(_HINT)})
_SIZE = _either({"as_int": _integer, "as_expr": _EXPRESSION})
_TENSOR = _record(
    {
        "dtype": _dtype,
        "sizes": _each(_SIZE),
        "requires_grad": _flag,
        "device": _processor,
        "strides": _each(_SIZE),
        "storage_offset": _SIZE,
        "layout": _strided,
    }
)
_GRAPH = _record(
    {
        "inputs": _each(_argument("")),
        "outputs": _each(_argument("")),
        "nodes": _each(_node),
        "tensor_values": _table(_name, _TENSOR),
        "sym_int_values": _table(_name, _SIZE),
        "sym_bool_values": _table(_name, _either({"as_expr": _EXPRESSION, "as_bool": _flag})),
    },
    {
        "sym_float_values": _table(_name, _either({"as_expr": _EXPRESSION, "as_float": _number})),
        "is_single_tensor_return": _flag,
        "custom_obj_values": _table(_refused("an object of its own class"), _none),
    },
)
_HELD = _record({"name": _name})
_CONSTANT = _either({"as_none": _none, "as_int": _integer, "as_float": _number, "as_bool": _flag, "as_string": _plain})
_INPUT = _either(
    {
        "user_input": _record({"arg": _argument("")}),
        "parameter": _record({"arg": _HELD, "parameter_name": _dotted}),
        "buffer": _record({"arg": _HELD, "buffer_name": _dotted, "persistent": _flag}),
        "tensor_constant": _record({"arg": _HELD, "tensor_constant_name": _dotted}),
        "constant_input": _record({"name": _name, "value": _CONSTANT}),
    }
)
_CHANGED = "an output that changes a weight or an input: export the module in eval mode, without state"
_OUTPUT = _either(
    {
        "user_output": _record({"arg": _argument("")}),
        **dict.fromkeys(("buffer_mutation", "parameter_mutation", "user_input_mutation"), _refused(_CHANGED)),
    }
)
_RANGE = _record({"min_val": _optional(_integer), "max_val": _optional(_integer)})
_PROGRAM = _record(
    {
        "graph_module": _record(
            {
                "graph": _graph,
                "signature": _record({"input_specs": _each(_INPUT), "output_specs": _each(_OUTPUT)}),
                "module_call_graph": lambda data: data,  # replaced, see `rewrite`
            },
            {"metadata": _dropped, "treespec_namedtuple_fields": _dropped},
        ),
        "opset_version": _table(_name, _integer),
        "range_constraints": _table(_symbol, _RANGE),
        "schema_version": _record({"major": _integer, "minor": _integer}),
    },
    {"verifiers": _each(_dialect), "torch_version": _plain, "guards_code": _dropped},
)
