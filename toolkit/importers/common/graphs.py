"""A program of torch.export as a model of one part, whether it came as a .pt2 or was traced from a Python file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from edgekit.core import Checkpoint, Evaluation, Facts, ImportOptions, Inspection, Json, Model, Part, TensorSpec, Work
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import pt2
from edgekit.formats.pt2 import Program
from edgekit.formats.pt2.archive import DTYPES
from edgekit.formats.pt2.graph import Node
from edgekit.formats.pt2.operators import short
from edgekit.importers.common import stored
from edgekit.importers.common.axes import Bounds, Open, apply_bounds
from edgekit.importers.common.declared import Import, declare_import
from edgekit.importers.common.rewriting import finite, keep_if_equivalent, told_apart
from edgekit.importers.common.spectra import real
from edgekit.numerics.layers import Layer, table, work
from edgekit.tasks.tensors.arrays import read

_CONVOLUTIONS = frozenset(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution"))
_RECURRENT = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"))
_PRODUCTS = frozenset(("linear", "addmm", "mm", "matmul", "bmm", "baddbmm", "einsum"))
_ATTENTION = frozenset(("softmax", "_softmax", "scaled_dot_product_attention", "_safe_softmax"))
#: Operators whose result is the same weight in another order.
_VIEWS = frozenset(
    (
        *("t", "transpose", "permute", "view", "reshape", "contiguous", "to", "clone", "detach", "unsqueeze"),
        *("squeeze", "expand"),
    )
)


def work_of(part: str, program: Program) -> Work:
    """The weights and the work of a call with the shapes that the program was traced with."""
    weights = _weights(program)
    layers: list[Layer] = []
    looked_up, multiplied = dict[str, tuple[int, ...]](), set[str]()
    macs = steps = unrolled = 0
    operators = {short(node.target) for node in program.graph.nodes}
    for node in program.graph.nodes:
        name = short(node.target)
        operands = [operand for entry in node.inputs for operand in entry.arg.tensors]
        _follow(name, node, operands, weights)
        output = _output(program, node)
        if name in _RECURRENT:
            held = [weights[operand] for operand in operands if len(weights.get(operand, ())) == 2]
            steps = max(steps, _steps(program, operands, held))
            layers += [Layer(prod(shape), shape[0], steps, sum(shape)) for shape in held]
            unrolled += sum(prod(shape) for shape in held)
        elif name == "embedding" and operands[0] in weights:
            looked_up[operands[0]] = weights[operands[0]]
        elif name in _CONVOLUTIONS or name in _PRODUCTS:
            chosen = [weights[operand] for operand in operands if len(weights.get(operand, ())) >= 2]
            multiplied.update(operands)
            if chosen:
                layers.append(_layer(name, chosen[0], program.sizes(operands[0]), output))
            elif operands:
                macs += prod(output) * (program.sizes(operands[0]) or (1,))[-1]
    layers += [table(prod(shape)) for held, shape in looked_up.items() if held not in multiplied]
    counted = sum(layer.weights + layer.outputs for layer in layers)
    return work(
        part,
        _kind(operators, layers),
        layers,
        tables=max(0, _floats(program) - counted),
        macs=macs,
        steps=steps,
        unrolled=unrolled,
    )


def _kind(operators: set[str], layers: list[Layer]) -> str:
    if operators & _RECURRENT:
        return "recurrent"
    if operators & _ATTENTION:
        return "attention"
    if operators & _CONVOLUTIONS:
        return "convolution"
    return "vector" if all(layer.positions <= 1 for layer in layers) else "attention"


def _weights(program: Program) -> dict[str, tuple[int, ...]]:
    """Name in the graph -> shape of each weight."""
    held = {**program.archive.constants, **program.archive.weights}
    used = [spec.weight for spec in program.module.signature.input_specs if spec.weight]
    return {weight.arg.name: held[weight.name].sizes for weight in used}


def _follow(name: str, node: Node, operands: list[str], weights: dict[str, tuple[int, ...]]) -> None:
    """A weight that is only turned around stays one: `weights` gets its new name."""
    if name in _VIEWS and operands and operands[0] in weights:
        shape = weights[operands[0]]
        for output in node.outputs:
            if output.tensor:
                weights[output.tensor] = shape[::-1] if name == "t" else shape


def _output(program: Program, node: Node) -> tuple[int, ...]:
    first = next((name for output in node.outputs for name in output.tensors), "")
    return program.sizes(first) if first else ()


def _layer(name: str, weight: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> Layer:
    count = prod(weight)
    outputs = weight[0] if name in _CONVOLUTIONS or name == "linear" else weight[-1]
    if name in _CONVOLUTIONS:
        positions = prod(after) // max(1, after[1] if len(after) > 1 else 1)
    else:
        positions = max(1, prod(after) // max(1, outputs))
    return Layer(count, outputs, positions, prod(before) + prod(after))


def _steps(program: Program, operands: list[str], held: list[tuple[int, ...]]) -> int:
    """Length of the sequence that a recurrence runs over."""
    shape = program.sizes(operands[0]) if operands else ()
    return max(shape[:-1], default=1) if held else 1


def _floats(program: Program) -> int:
    """Numbers of all float weights and constants, shared ones once."""
    payloads = [*program.archive.weights.values(), *program.archive.constants.values()]
    floats = [payload for payload in payloads if DTYPES[payload.dtype][0].startswith(("float", "bfloat"))]
    return sum({(payload.member, payload.offset): payload.elements for payload in floats}.values())


#: Tasks that a graph of tensors can serve, and what it must be like (`_check_task`).
TASKS = ("tensors", "image-classification")


def bounds_of(program: pt2.Program, wanted: Mapping[str, tuple[int, int]]) -> Bounds:
    """The axes of the program with the user's bounds; see `edgekit.importers.common.axes.apply_bounds`."""
    axes = {name: Open(held.least, held.most, held.example, held.places) for name, held in program.ranges.items()}
    return apply_bounds(axes, wanted, program.inputs)


def inspect_program(source: str, kind: str, program: pt2.Program, bounds: Bounds, tasks: tuple[str, ...]) -> Inspection:
    """The description of the program."""
    return Inspection(
        source=source,
        kind=kind,
        architecture=f"a graph of torch {program.torch_version}",
        tasks=tasks,
        inputs=bounds.rename_axes(program.inputs),
        outputs=bounds.rename_axes(program.outputs),
        operators=program.operators,
        parameters=program.parameters,
        notes=tuple(bounds.notes),
    )


def declared_graph(
    source: str,
    kind: str,
    program: pt2.Program,
    bounds: Bounds,
    options: ImportOptions,
    samples: Path,
    *,
    synthetic: bool,
    origin: str = "",
    labels: Sequence[str] = (),
    facts: Facts | None = None,
    evaluation: Evaluation | None = None,
) -> Model:
    """The model whose part ``network`` is the program.

    Args:
        samples: folder of .npz files (`edgekit.importers.common.stored`); their origin, a sentence.
        labels: of the classes, for a task that has some. facts: more of them, for the bundle.

    Raises:
        Unsupported: the task is not for graphs of tensors. BadInput: inputs or outputs are not what the task needs.
    """
    inputs, outputs = bounds.rename_axes(program.inputs), bounds.rename_axes(program.outputs)
    task = options.task or "tensors"
    known: dict[str, Json] = {
        **_task_facts(task, inputs, outputs, labels, _gives_probabilities(program)),
        **(facts or {}),
    }
    if bounds.notes:
        notes = known.get("notes", ())
        known["notes"] = [*(notes if isinstance(notes, Sequence) else ()), *bounds.notes]
    part = Part(
        name="network",
        inputs=inputs,
        outputs=outputs,
        axes=bounds.axes,
        build=partial(_build_module, expected=program.inputs, samples=samples),
    )
    own = stored.files(samples)
    if task != "tensors":  # where the user's are noise, the task's own photographs tell more
        own = [] if synthetic else stored.pictures(samples)
    return declare_import(
        Import(
            source=source,
            importer=kind,
            parts=(part,),
            hub=str(program.path),
            facts=known,
            parameters=program.parameters,
            works=(work_of("network", program),),
            task=task,
            golden=str(own[0]) if own else "",
            labels=tuple(labels),
            evidence=stored.evidence_of(own, origin, synthetic=synthetic) if own else None,
            evaluation=evaluation,
        )
    )


#: Samples that a change of the module is tried on.
_TRIED = 3
#: How much a spectrum in real numbers may differ, relative to the largest value.
_SPECTRA = 1e-4


def _build_module(checkpoint: Checkpoint, expected: tuple[TensorSpec, ...], samples: Path) -> Any:
    """The module of the .pt2 at the checkpoint's path: real spectra, finite masks, outputs told apart.

    Raises:
        BadInput: the file has other inputs.
    """
    program = pt2.read(checkpoint.path)
    if program.inputs != expected:
        raise BadInput(f"{checkpoint.path.name} has other inputs than the program that was declared.")
    files = stored.files(samples)
    order = [spec.name for spec in program.inputs]
    held = [dict(read(file)) for file in files[:: max(1, len(files) // _TRIED)]]
    tried = [{name: sample[name] for name in order} for sample in held]
    module = told_apart(pt2.module_of(program))
    return finite(keep_if_equivalent(real(module), module, tried, _SPECTRA), tried)


def _gives_probabilities(program: pt2.Program) -> bool:
    """Whether the first output is a softmax already."""
    name = program.module.signature.output_specs[program.results[0]].user_output.arg.tensor
    return any(
        short(node.target) in ("softmax", "_softmax") and name in (output.tensor for output in node.outputs)
        for node in program.graph.nodes
    )


def _task_facts(
    task: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], labels: Sequence[str], probable: bool
) -> Facts:
    """The facts that the task's predictor needs."""
    if task == "tensors":
        return {}
    if task not in TASKS:
        raise Unsupported(
            f"a graph of tensors has no {task!r}: that task needs parts of its own.", hint=f"Tasks: {', '.join(TASKS)}."
        )
    match inputs, outputs:
        case [TensorSpec(dtype="uint8", shape=(1, int(height), int(width), 3))], [TensorSpec(shape=(1, int(classes)))]:
            if len(labels) in (0, classes):
                names = list(labels) or [str(i) for i in range(classes)]
                sizes: Facts = {"height": height, "width": width, "labels": names}
                return sizes if probable else {**sizes, "activation": "softmax"}
            raise BadInput(f"there are {len(labels)} labels for {classes} classes.", hint="Give labels as many.")
    shown = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in (*inputs, *outputs))
    raise BadInput(
        f"image-classification takes a picture's bytes, uint8 [1, height, width, 3], and gives a score a class, "
        f"[1, classes]; this graph has {shown}.",
        hint="Scale and turn the pixels in forward: x = (pixels.float() / 255 - mean) / std; x.permute(0, 3, 1, 2).",
    )
