"""Are portable operators given what they take? The runtime ends the process over a value of another kind.

What an operator of torch takes is asked of torch itself; the others are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgekit.common.lazy import torch
from edgekit.errors import BadInput

_NUMBERS = ("Int", "Double")
#: A type of torch's schemas -> the kinds of values that a program has for it.
_KINDS = {
    "Tensor": ("Tensor",), "int": ("Int",), "SymInt": ("Int",), "float": ("Double",), "bool": ("Bool",),
    "number": (*_NUMBERS, "Bool"), "Scalar": (*_NUMBERS, "Bool"), "str": ("String",), "List[int]": ("IntList",),
    "List[SymInt]": ("IntList",), "List[float]": ("DoubleList",), "List[bool]": ("BoolList",),
    "List[Tensor]": ("TensorList",), "List[Optional[Tensor]]": ("OptionalTensorList",),
}  # fmt: skip
_TENSOR, _BOOL, _INTS = ("Tensor",), ("Bool",), ("IntList",)
_COPIED = (_TENSOR, _BOOL, (*_INTS, "Null"), _TENSOR, _TENSOR)
#: What is no operator of torch, as its arguments and what it returns.
_OWN: dict[str, Sequence[tuple[str, ...]]] = {
    "dim_order_ops::_to_dim_order_copy.out": _COPIED,
    "dim_order_ops::_clone_dim_order.out": _COPIED,
    "dim_order_ops::_empty_dim_order.out": (_INTS, (*_INTS, "Null"), _TENSOR, _TENSOR),
    "executorch_prim::et_view.default": (_TENSOR, _INTS, _TENSOR),
}
_ONE, _TWO = (
    "sym_float ceil round trunc neg", "add sub mul floordiv truediv mod eq gt lt ge le sym_max sym_min"
)  # fmt: skip
_OWN |= {f"executorch_prim::{name}.Scalar": (_NUMBERS, _NUMBERS) for name in _ONE.split()}
_OWN |= {f"executorch_prim::{name}.Scalar": (_NUMBERS, _NUMBERS, (*_NUMBERS, "Bool")) for name in _TWO.split()}


def check(calls: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Raise BadInput where an operator is not known here, or is given other values than it takes.

    Args:
        calls: see `edgekit.formats.executorch.reader.Program`.
    """
    for name, given in dict.fromkeys(calls):
        wanted = _OWN.get(name) or _schema_kinds(name)
        if wanted is None:
            raise BadInput(f"the .pte calls {name!r}, which nothing here knows.", hint="Export it again.")
        if len(given) != len(wanted) or any(one not in kinds for one, kinds in zip(given, wanted, strict=True)):
            raise BadInput(f"the .pte is damaged: {name} is given ({', '.join(given)}).", hint="Export it again.")


def _schema_kinds(name: str) -> Sequence[tuple[str, ...]] | None:
    """The kinds that torch's operator of that name takes, and what it returns; None where torch has none."""
    operator, _, overload = name.partition(".")
    schemas: Any = torch._C._jit_get_schemas_for_operator(operator) if operator.startswith("aten::") else ()
    for schema in schemas:
        if schema.overload_name == overload.removesuffix("default"):
            taken = [_kinds(str(one.type)) for one in schema.arguments]
            outs = [kinds for one, kinds in zip(schema.arguments, taken, strict=True) if one.is_out]
            # What is written to is told once more, as what is returned; several of them as one list.
            returned = outs or [_kinds(str(one.type)) for one in schema.returns]
            return [*taken, *(returned if len(returned) < 2 else [("TensorList",)])]
    return None


def _kinds(declared: str) -> tuple[str, ...]:
    inner = declared.removeprefix("Optional[").removesuffix("]") if declared.startswith("Optional[") else declared
    return (*_KINDS.get(inner, ()), *(("Null",) if inner != declared else ()))
