"""What is in a saved ML Program: operators, bytes by type, which layers are compressed and how, and what the neural
engine is documented to leave to others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from edgekit.errors import ExportFailed

__all__ = ["census", "program_of"]

#: Operators with weights, and the input that holds them.
WEIGHTED = {
    "conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y", "lstm": "weight_ih", "gather": "x",
}  # fmt: skip
#: Operators that Apple's neural engine does not run (coremltools' guides; Apple, "Deploying Transformers on the Apple
#: Neural Engine", 2022): recurrent ones, and those whose shapes follow from values.
NOT_ON_NEURAL_ENGINE = (
    *("lstm", "gru", "rnn", "non_zero", "cumsum", "topk", "gather_nd", "range_1d", "while_loop", "cond"),
)
_FORMS = {
    "constexpr_affine_dequantize": "int8",
    "constexpr_blockwise_shift_scale": "linear",
    "constexpr_lut_to_dense": "palette",
    "constexpr_sparse_to_dense": "sparse",
}
_EXPECTED = {"int8": ("int8", "linear"), "int6": ("palette",), "int4": ("palette", "linear")}


def program_of(file: Path) -> Any:
    """The main function of a saved program. Raises whatever coremltools raises for a damaged one."""
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto.load import load

    model = ct.models.MLModel(str(file), skip_model_load=True)
    spec = model.get_spec()
    return load(spec, spec.specificationVersion, model.weights_dir).functions["main"]


def census(file: Path, precision: str, few: int) -> dict[str, Any]:
    """The facts, read back from the saved file.

    Raises:
        ExportFailed: no layer is what `precision` says.
    """
    function = program_of(file)
    operators: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    layers: dict[str, dict[str, str]] = {}
    packed = {
        value.name
        for op in function.operations
        if op.op_type in _FORMS
        for value in op.inputs.values()
        if value is not None
    }
    for op in function.operations:
        if op.outputs[0].name in packed:
            continue  # counted with what unpacks it
        if op.op_type in _FORMS:
            sizes[_FORMS[op.op_type]] += _stored(op)
        elif op.op_type == "const":
            value = op.outputs[0].val
            sizes[str(value.dtype) if hasattr(value, "dtype") else "other"] += getattr(value, "nbytes", 0)
        else:
            operators[op.op_type] += 1
            held = op.inputs.get(WEIGHTED.get(op.op_type, ""))
            if held is not None and held.op is not None and held.op.op_type in {*_FORMS, "const"}:
                form = _FORMS.get(held.op.op_type, "float")
                why = "as asked" if form != "float" else f"fewer than {few} weights, or its channels cannot be divided"
                layers[op.name] = {"form": form, "why": why if precision in _EXPECTED else "as asked"}
    forms = Counter(layer["form"] for layer in layers.values())
    if precision in _EXPECTED and layers and not any(forms[form] for form in _EXPECTED[precision]):
        raise ExportFailed(f"{file.name}: no layer became {precision}.", hint="Choose --precision fp16.")
    return {
        "operators": dict(operators),
        "bytes": {name: size for name, size in sizes.items() if size},
        "compute": "fp32" if precision == "fp32" else "fp16",
        "layers": layers,
        "not_on_neural_engine": sorted(set(operators) & set(NOT_ON_NEURAL_ENGINE)),
    }


def _stored(op: Any) -> int:
    """Bytes of a compressed constant: its values and what scales them."""
    return sum(int(getattr(value.val, "nbytes", 0)) for value in op.inputs.values() if value is not None)
