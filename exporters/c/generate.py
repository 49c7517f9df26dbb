"""What is generated for a model: the network's files, the frontend's, and the kernels that they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Part
from edgekit.errors import BadInput
from edgekit.exporters.c import arena, frontend, write
from edgekit.exporters.c.lowering import graph
from edgekit.exporters.c.lowering.layers import Layer
from edgekit.formats import tflite
from edgekit.runtimes.qemu import description as description_module

_HERE = Path(__file__).parent


#: Which file holds a kernel, where it is not the function's own name.
_HOMES = {
    "add": "binary", "sub": "binary", "mul": "binary", "average_pool_2d": "pool", "max_pool_2d": "pool", "mean": "pool",
    "lookup": "move", "quantize": "move", "dequantize": "move",
    "add_s16": "binary_s16", "sub_s16": "binary_s16", "mul_s16": "binary_s16", "average_pool_2d_s16": "pool_s16",
    "max_pool_2d_s16": "pool_s16", "mean_s16": "pool_s16", "logistic_s16": "sigmoid_s16", "tanh_s16": "sigmoid_s16",
    "quantize_s16": "rescale_s16", "dequantize_s16": "rescale_s16", "rescale_s8_to_s16": "rescale_s16",
    "rescale_s16_to_s8": "rescale_s16", "fill_s16": "rescale_s16",
}  # fmt: skip


def lower_part(part: Part, content: bytes, layout: str) -> tuple[graph.Program, arena.Plan]:
    """The network `part` in the .tflite `content`, translated and placed.

    Raises:
        Unsupported, BadInput: it cannot be, or its tensors are not the part's.
    """
    program = graph.lower(tflite.read(content), layout)
    _check_tensors(part, program)
    return program, arena.plan(program)


def network_files(
    part: Part, content: bytes, program: graph.Program, plan: arena.Plan
) -> tuple[dict[str, bytes], write.Sources]:
    """All that a network brings into ``src/``, by name: also the .tflite, which its C is checked against later."""
    written = write.write(program, plan, part.name, f"{part.name}.tflite")
    kernels = _kernels(program.layers)
    description = description_module.describe(
        part.kind, part.inputs, part.outputs, [name for name in kernels if name.endswith(".c")],
        layout=program.layout, stateful=bool(program.states), arena=written.arena, weights=written.weights,
    )  # fmt: skip
    texts = {**written.files, "layout.h": write.layout_header(program), f"{part.name}.json": description}
    return {**kernels, **_encode_texts(texts), f"{part.name}.tflite": content}, written


def frontend_files(part: Part) -> dict[str, bytes]:
    """All that a frontend, and the detector behind it, bring into ``src/``, by name."""
    description = description_module.describe(part.kind, part.inputs, part.outputs, [])
    return _encode_texts({**frontend.frontend_files(part.kind, part.settings), f"{part.name}.json": description})


def _encode_texts(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in texts.items()}


def _check_tensors(part: Part, program: graph.Program) -> None:
    for side, specs, indices in (("input", part.inputs, program.inputs), ("output", part.outputs, program.outputs)):
        stored = [(program.tensors[i].dtype, program.tensors[i].shape) for i in indices]
        wanted = [(spec.dtype, spec.shape) for spec in specs]
        if stored != wanted:
            raise BadInput(f"the .tflite has the {side}s {stored}; the part {part.name!r} needs {wanted}.")


def _kernels(layers: Sequence[Layer]) -> dict[str, bytes]:
    """The kernels that `layers` call, with every code path, and all headers: name -> content."""
    called = {line.partition("(")[0][3:] for layer in layers for line in layer.call.split("\n") if line[:3] == "ek_"}
    stems = {_HOMES.get(name, name) for name in called}
    every = sorted((_HERE / "kernels").iterdir())
    chosen = [path for path in every if path.suffix == ".h" or (path.suffix == ".c" and _stem(path) in stems)]
    return {path.name: path.read_bytes() for path in chosen}


def _stem(path: Path) -> str:
    return path.stem.removesuffix("_dsp").removesuffix("_mve")
