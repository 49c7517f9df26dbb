"""What is in a saved ML Program: operators, bytes by type, which layers are compressed and how, and what the neural
engine is documented to leave to others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Facts
from edgekit.errors import ExportFailed
from edgekit.quantization.plan import LayerPlan
from edgekit.runtimes.coreml.reader import WEIGHTED, operations, program_of

#: Operators that Apple's neural engine does not run (coremltools' guides; Apple, "Deploying Transformers on the Apple
#: Neural Engine", 2022): recurrent ones, and those whose shapes follow from values.
NOT_ON_NEURAL_ENGINE = (
    *("lstm", "gru", "rnn", "non_zero", "cumsum", "topk", "gather_nd", "range_1d", "while_loop", "cond"),
)
#: Operator that unpacks weights -> what they are in; "" where the type of the data tells.
_FORMS = {
    "constexpr_affine_dequantize": "",
    "constexpr_blockwise_shift_scale": "",
    "constexpr_lut_to_dense": "palette",
    "constexpr_sparse_to_dense": "sparse",
}
#: Bytes of a constant that no layer has as its weights, from which on it is named.
_NAMED = 1 << 16
_EXPECTED = {"int8": ("int8",), "int6": ("palette",), "int4": ("palette", "int4")}


def census(file: Path, precision: str, few: int, others: Mapping[str, LayerPlan], names: Mapping[str, str]) -> Facts:
    """The facts, read back from the saved file.

    Args:
        few: layers with fewer weights are not compressed. others: layers of another form than `precision`, and why.
        names: of layers in the source.

    Raises:
        ExportFailed: no layer is what `precision` says.
    """
    function = program_of(file)
    operators: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    layers: dict[str, dict[str, str]] = {}
    weights: dict[str, tuple[str, int]] = {}
    constants: dict[str, int] = {}
    packed = {
        value.name
        for op in operations(function)
        if op.op_type in _FORMS
        for value in op.inputs.values()
        if value is not None
    }
    for op in operations(function):
        if op.outputs[0].name in packed:
            continue  # counted with what unpacks it
        if op.op_type in _FORMS:
            sizes[_form(op)] += _constant_bytes(op)
        elif op.op_type == "const":
            value = op.outputs[0].val
            sizes[str(value.dtype) if hasattr(value, "dtype") else "other"] += getattr(value, "nbytes", 0)
            constants[op.outputs[0].name] = getattr(value, "nbytes", 0)
        else:
            operators[op.op_type] += 1
            held = op.inputs.get(WEIGHTED.get(op.op_type, ""))
            if held is not None and held.op is not None and held.op.op_type in {*_FORMS, "const"}:
                form = "float" if held.op.op_type == "const" else _form(held.op)
                weights[held.name] = form, math.prod(held.shape)  # once, where layers share them
                layers[names.get(op.name, op.name)] = {
                    "form": form,
                    "why": others[op.name].why if op.name in others else _why(op, form, precision, few),
                }
    if precision in _EXPECTED and layers:
        _check(file, precision, layers, weights.values())
    return {
        "operators": dict(operators),
        "bytes": {name: size for name, size in sizes.items() if size},
        "constants": {name: n for name, n in constants.items() if n >= _NAMED and name not in weights},
        "compute": "fp32" if precision == "fp32" else "fp16",
        "layers": layers,
        "not_on_neural_engine": sorted(set(operators) & set(NOT_ON_NEURAL_ENGINE)),
    }


def _check(
    file: Path, precision: str, layers: Mapping[str, Mapping[str, str]], weights: Collection[tuple[str, int]]
) -> None:
    """Raises ExportFailed where what `precision` says is true of less than half of the weights (form, how many)."""
    made, whole = sum(count for form, count in weights if form in _EXPECTED[precision]), sum(n for _, n in weights)
    if 2 * made >= whole:
        return
    found = "no layer" if not made else f"only {made / whole:.0%} of the weights"
    whys = Counter(layer["why"] for layer in layers.values() if layer["form"] not in _EXPECTED[precision])
    told = "; ".join(f"{count} of {len(layers)} layers: {why}" for why, count in whys.most_common(3))
    raise ExportFailed(f"{file.name}: {found} became {precision} ({told}).", hint="Choose --precision fp16.")


def _why(op: Any, form: str, precision: str, few: int) -> str:
    """Why a layer that nobody chose to keep has its form."""
    if precision not in _EXPECTED or form in _EXPECTED[precision]:
        return "as asked"
    if op.op_type == "lstm":
        return "recurrent layers stay float"
    if math.prod(op.inputs[WEIGHTED[op.op_type]].shape) < few:
        return f"fewer than {few} weights"
    return "its channels cannot be divided"


def _form(op: Any) -> str:
    """What the weights are in that `op` unpacks."""
    return _FORMS[op.op_type] or _type(op.inputs.get("data") or op.inputs["quantized_data"])


def _type(value: Any) -> str:
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(value.dtype))


def _constant_bytes(op: Any) -> int:
    """Bytes of a compressed constant: its values, in as many bits as their type has, and what scales them."""
    total = 0
    for value in op.inputs.values():
        if value is not None and hasattr(value.val, "nbytes"):
            digits = _type(value).removeprefix("uint").removeprefix("int")
            few = digits.isdigit() and int(digits) < 8
            total += -(-value.val.size * int(digits) // 8) if few else int(value.val.nbytes)
    return total
