"""From a reference module to a clean fp32 .tflite, through litert-torch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgekit.common.lazy import torch
from edgekit.common.quiet import quiet
from edgekit.core import Part, TensorSpec
from edgekit.errors import ExportFailed, Unsupported, need
from edgekit.exporters.litert import dynamic, file, tidy
from edgekit.exporters.litert.wish import unkept_axes


def fix_axes(part: Part, sizes: Mapping[str, int]) -> Part:
    """`part` with the axes in `sizes` fixed at that size; names that outputs alone have stay."""

    def fix_shapes(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        return tuple(replace(spec, shape=tuple(sizes.get(str(axis), axis) for axis in spec.shape)) for spec in specs)

    axes = {name: axis for name, axis in part.axes.items() if name not in sizes}
    return replace(part, inputs=fix_shapes(part.inputs), outputs=fix_shapes(part.outputs), axes=axes)


def from_torch(part: Part, module: torch.nn.Module) -> bytes:
    """The graph of `module`, fp32, with the inputs and outputs that `part` declares, in their order and by name.

    An axis that may be padded stays free (see `dynamic`).

    Raises:
        Unsupported: the part has other dynamic axes. litert-torch 0.10 fails on them, or fixes them in silence.
        ExportFailed: litert-torch cannot trace or translate the module (part, operator and reason are named), or it
            gives other tensors than declared. MissingExtra: litert-torch is absent.
    """
    if not part.axes:
        return _convert(part, module)
    if unkept_axes(part):
        axes = ", ".join(repr(name) for name in part.axes)
        sizes = ", ".join(f'"{name}": {axis.example}' for name, axis in part.axes.items())
        raise Unsupported(
            f"litert-torch cannot keep the axis {axes} of the part {part.name!r} dynamic.",
            hint=f'Fix it with the recipe\'s option {{"sizes": {{{sizes}}}}}, or choose the exporter onnx.',
        )
    name, axis = next(iter(part.axes.items()))
    # An uneven size is hardly the size of another axis, for which the converter would take some operators for others.
    short = (min(axis.example, axis.most - 1) - 1) | 1
    if not 3 <= short < axis.most:
        raise ExportFailed(
            f"the axis {name!r} of {part.name!r} has too few sizes, {axis.least} to {axis.most}, to stay free.",
            hint=f'Fix it with the recipe\'s option {{"sizes": {{"{name}": {axis.most}}}}}.',
        )
    small, large = (_convert(fix_axes(part, {name: length}), module) for length in (short, axis.most))
    return dynamic.join_sizes(small, large, part.name)


def _convert(part: Part, module: torch.nn.Module) -> bytes:
    """`from_torch` of a part whose sizes are fixed."""
    # Every input gets its own tensor: torch.export takes two uses of one tensor for one input, in silence.
    with need("litert", "Exporting to LiteRT"), quiet():
        import litert_torch
        import torch
    example = tuple(torch.zeros([int(size) for size in s.shape], dtype=getattr(torch, s.dtype)) for s in part.inputs)
    try:
        with quiet(), torch.no_grad(), _constants_alive():
            content = bytes(litert_torch.convert(module.eval(), example).model_content())
    except Exception as exc:  # torch and MLIR raise many unrelated types here; the reason is in the message
        raise ExportFailed(
            f"litert-torch could not convert the part {part.name!r}: {_reason(exc)}",
            hint="The operator needs another formulation in the part's module, or another exporter.",
        ) from exc
    model = file.parse(content)
    tidy.tidy(model, part.inputs, part.outputs, part.name)
    name_layers(model, module)
    _compare(model, part)
    return file.pack(model)


def name_layers(model: Any, module: torch.nn.Module) -> dict[str, int]:
    """Give the layers of a tidy file the names that they have in the source, in place; those that it has not -> how
    many weights they hold."""
    from edgekit.exporters.common.torch_export import weights_of
    from edgekit.quantization.weights.identifiers import Converted, Identifiers

    graph, layers, places = model.subgraphs[0], dict[str, Converted](), dict[str, tuple[Any, int, int]]()
    for own, kind, operator, weights, bias, axis in file.weighted_operators(model, tables=True):
        held = file.constant(model, graph, weights)
        if held is not None and held.dtype.kind == "f":
            layers[own] = Converted(held, axis, own.removesuffix(kind))
            places[own] = operator, weights, bias
    names, lost = Identifiers(weights_of(module)).names(layers)
    for own, name in names.items():
        operator, *constants = places[own]
        for index, new in zip(
            (operator.outputs[0], *constants), (name, f"{name}/weights", f"{name}/bias"), strict=True
        ):
            if index >= 0:
                graph.tensors[int(index)].name = new
    return lost


@contextlib.contextmanager
def _constants_alive() -> Iterator[None]:
    """Inside, no constant that litert-torch writes is freed before the last one is written.

    It recognizes a constant by its address, and copies one that is not contiguous into memory that it frees at once.
    The next may lie there too, and silently gets the first one's values: google-ai-edge/litert-torch#1061, in 0.10 at
    least.
    """
    from litert_torch.backend import inline_consts

    fingerprint = inline_consts._ConstantFingerprint
    before, original, held = vars(fingerprint)["from_tensor"], fingerprint.from_tensor, list[Any]()

    def keep_alive(tensor: Any) -> Any:
        held.append(tensor)
        return original(tensor)

    fingerprint.from_tensor = keep_alive
    try:
        yield
    finally:
        fingerprint.from_tensor = before


def _reason(exc: Exception) -> str:
    """The first line that says something, and the operator that was being translated."""
    text = str(exc)
    line = next((line.strip() for line in text.splitlines() if line.strip()), type(exc).__name__)
    operator = re.search(r"torch\.ops\.([\w.]+)", text)
    named = operator and operator[1] not in line
    return f"{line[:300]} (operator {operator[1]})" if operator and named else line[:300]


#: What litert-torch makes of 64-bit tensors, which hardly any runtime on a device has.
_NARROWED = {"int64": "int32", "float64": "float32"}


def _compare(model: Any, part: Part) -> None:
    """Raise ExportFailed where the graph's tensors are not those that the part declares."""
    from edgekit.exporters.common.torch_export import check_made

    graph = model.subgraphs[0]
    for specs, indices in ((part.inputs, graph.inputs), (part.outputs, graph.outputs)):
        for spec, index in zip(specs, indices, strict=True):
            tensor = graph.tensors[int(index)]
            sizes, dtype = list(file.shape_of(tensor)), file.dtype_of(tensor)
            check_made(part, replace(spec, dtype=_NARROWED.get(spec.dtype, spec.dtype)), dtype, sizes)
