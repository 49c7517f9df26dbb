"""An .onnx file as a model of one part: the graph itself for onnx, a torch module for other formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np, torch
from edgekit.core import Axis, Checkpoint, ImportOptions, Inspection, Model, Part, Progress, TensorSpec
from edgekit.errors import BadInput, ParityFailed, Unsupported
from edgekit.formats.onnx import Opened, load, open_file
from edgekit.importers.common import stored
from edgekit.importers.common.declared import Import, declare_import
from edgekit.importers.onnx_file.axes import Axes, axes_of, open_axes
from edgekit.importers.onnx_file.trial import Trial, plain_name, run_trial_once

_TASK = "tensors"
#: The largest relative error of a translated graph against onnxruntime on the original.
_LIMIT = 1e-4
#: What formats that take no ONNX graph demand of its translation (`edgekit.core.Exporter.demands`).
_FIXED, _PLAIN, _MODULE = "fixed axes", "plain names", "module"


def inspect_file(source: str, kind: str, options: ImportOptions) -> Inspection:
    """The description of the file, without its weights."""
    opened = _open_source(source)
    facts = opened.facts
    notes = [f"opset {facts.opset}" + (f", written by {facts.producer}" if facts.producer else "")]
    if facts.quantized:
        notes.append(f"already quantized ({facts.quantized}): it is taken as it is, for onnxruntime and OpenVINO alone")
    if facts.contrib:
        notes.append(f"an operator of onnxruntime's own, {facts.contrib}: for onnxruntime alone")
    if facts.loop:
        notes.append(f"a loop, {facts.loop}: for onnxruntime and OpenVINO alone")
    if facts.external:
        notes.append(f"weights in {', '.join(facts.external)}")
    if facts.metadata:
        notes.append(f"metadata: {', '.join(facts.metadata)}")
    axes_of(facts, options.axes, {})
    if options.task not in ("", _TASK):
        raise _no_task(options.task)
    unnamed = [name for name in open_axes(facts) if name in facts.unnamed]
    if unnamed:
        notes.append(f"axes without a name, fixed unless --dynamic gives bounds: {', '.join(unnamed)}")
    return Inspection(
        source=source,
        kind=kind,
        architecture=f"an ONNX graph of {sum(facts.operators.values())} nodes",
        tasks=(_TASK,),
        inputs=facts.inputs,
        outputs=facts.outputs,
        operators=facts.operators,
        parameters=facts.parameters,
        notes=tuple(notes),
    )


def declaration(source: str, kind: str, options: ImportOptions, progress: Progress) -> Model:
    """The model whose part ``network`` is the graph."""
    if options.task not in ("", _TASK):
        raise _no_task(options.task)
    opened = _open_source(source)
    facts = opened.facts
    axes_of(facts, options.axes, {})
    progress(f"a first run of {opened.file.name}", 0, 0)
    trial = run_trial_once(opened, options.axes)
    axes = axes_of(facts, options.axes, trial.sizes)
    notes = _notes(opened, axes)
    for note in notes:
        progress(note, 0, 0)
    part = Part(
        name="network",
        inputs=axes.of_graph(facts.inputs),
        outputs=_outputs(opened, axes.kept, axes.of_graph(facts.outputs), trial),
        axes=axes.kept,
        build=None,
    )
    part = replace(part, build=partial(_graph, expected=facts.inputs, part=part))
    held = "int8" if facts.quantized else "fp16" if trial.half else ""
    translated = not (held or facts.contrib or facts.loop)
    model = declare_import(
        Import(
            source=source,
            importer=kind,
            parts=(part,),
            hub=str(opened.file),
            facts={"opset": facts.opset, "producer": facts.producer, "notes": notes},
            parameters=facts.parameters,
            works=(trial.work,),
            task=_TASK,
            golden=str(stored.files(trial.samples)[0]),
            evidence=stored.evidence_of(stored.files(trial.samples), "", synthetic=True),
            ready="onnx graph",
            variants={demand: (_torch_part(opened, axes, trial, demand),) for demand in (_FIXED, _PLAIN, _MODULE)}
            if translated
            else {},
        )
    )
    network, variants = replace(model.network, precision=held), dict(model.network.variants)
    if translated:
        variants[_PLAIN] = _with_plain_samples(variants[_PLAIN], trial)
    return replace(model, network=replace(network, variants=variants))


def _with_plain_samples(model: Model, trial: Trial) -> Model:
    """With samples of its own, as its inputs have other names."""
    folder = trial.plain
    files = stored.files(folder)
    golden, evidence = str(files[0]), stored.evidence_of(files, "", synthetic=True)
    return replace(model, task=replace(model.task, golden=golden, evidence=evidence))


def _open_source(source: str) -> Opened:
    return open_file(Path(source).expanduser())


def _no_task(task: str) -> Unsupported:
    return Unsupported(
        f"an .onnx file says nothing of {task!r}: its tensors are all that is known.",
        hint="Leave --task out, or write a net.py that loads it with its preprocessing: edgekit init net.py",
    )


def _notes(opened: Opened, axes: Axes) -> list[str]:
    facts, notes = opened.facts, list[str]()
    for name, places in open_axes(facts).items():
        size = axes.bounds.names[name]
        if not isinstance(size, int):
            continue
        where = " and ".join(f"axis {i} of {tensor}" for tensor, i in places)
        also = " in formats that take no ONNX graph" if name in axes.kept else ""
        notes.append(f"{where} is fixed at {size}{also}; --dynamic {name}=LEAST..MOST changes that")
    if facts.quantized:
        notes.append(f"the file is already quantized ({facts.quantized}) and is taken as it is")
    return notes


def _outputs(
    opened: Opened, axes: Mapping[str, Axis], named: Sequence[TensorSpec], trial: Trial
) -> tuple[TensorSpec, ...]:
    """The outputs with the sizes of the trial; where axes are dynamic, with the names that the file has for them."""
    if not axes:
        return trial.outputs
    out = []
    for spec, made in zip(named, trial.outputs, strict=True):
        shape: tuple[int | str, ...] = spec.shape
        if spec.name in opened.facts.unshaped or len(shape) != len(made.shape):
            shape = tuple(f"{spec.name}.{place}" for place in range(len(made.shape)))
        out.append(TensorSpec(made.name, made.dtype, shape))
    return tuple(out)


def _torch_part(opened: Opened, axes: Axes, trial: Trial, demand: str) -> Part:
    """The part as a torch module. Only axes with the user's bounds are dynamic, and none where all must be fixed."""
    facts, dynamic = opened.facts, dict(axes.bounds.axes)
    inputs = axes.of_torch([spec for spec in facts.inputs if spec.name not in facts.unused])
    if demand == _FIXED and dynamic:
        examples = {name: axis.example for name, axis in dynamic.items()}
        inputs = tuple(
            replace(spec, shape=tuple(examples.get(str(axis), axis) for axis in spec.shape)) for spec in inputs
        )
        dynamic = {}
    outputs = _outputs(opened, dynamic, axes.of_torch(facts.outputs), trial)
    scalars = tuple(place for place, spec in enumerate(inputs) if not spec.shape)
    flat = any(not spec.shape for spec in outputs)
    if demand == _PLAIN:
        inputs, outputs = _plain(inputs), _plain(outputs)
    return Part(
        name="network",
        inputs=inputs,
        outputs=outputs,
        axes=dynamic,
        build=partial(
            _module,
            expected=facts.inputs,
            samples=trial.samples,
            fixed=not dynamic,
            scalars=scalars if demand == _PLAIN and (scalars or flat) else None,
        ),
    )


def _plain(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Names become identifiers, and arrays have an axis at least."""
    return tuple(replace(spec, name=plain_name(spec.name), shape=spec.shape or (1,)) for spec in specs)


def _load_model(checkpoint: Checkpoint, expected: tuple[TensorSpec, ...]) -> Any:
    if open_file(checkpoint.path).facts.inputs != expected:
        raise BadInput(f"{checkpoint.path.name} has other inputs than the graph that was declared.")
    return load(checkpoint.path)


def _graph(checkpoint: Checkpoint, expected: tuple[TensorSpec, ...], part: Part) -> Any:
    from edgekit.runtimes.onnxruntime.reference import OnnxGraph

    return OnnxGraph(_load_model(checkpoint, expected), part)


def _module(
    checkpoint: Checkpoint,
    expected: tuple[TensorSpec, ...],
    samples: Path,
    fixed: bool,
    scalars: tuple[int, ...] | None,
) -> Any:
    """The translated graph. Raises ParityFailed where it does not compute what onnxruntime computes.

    Args:
        scalars: places of the inputs without axes that get one; None: every tensor stays as it is.
    """
    from edgekit.formats.onnx.translation import Widened, translate
    from edgekit.runtimes.onnxruntime.runner import open_model
    from edgekit.tasks.tensors.arrays import read

    model = _load_model(checkpoint, expected)
    feeds = read(stored.files(samples)[0])
    used = [value for value in model.graph.input if value.name not in open_file(checkpoint.path).facts.unused]
    tensors = [torch.from_numpy(feeds[value.name]) for value in used]
    wanted = open_model(model)(feeds)
    del model.graph.input[:]
    model.graph.input.extend(used)
    module = translate(model, tensors, fixed=fixed)
    with torch.inference_mode():
        answers = module(*tensors)
    made = answers if isinstance(answers, tuple) else (answers,)
    error = _error([value.numpy() for value in made], list(wanted.values()))
    if error > _LIMIT:
        raise ParityFailed(
            f"the graph of {checkpoint.path.name} as a torch module is {error:.1e} away from onnxruntime, "
            f"allowed are {_LIMIT:.0e}.",
            hint="Use --runtime onnxruntime, and report this with the file.",
        )
    return module if scalars is None else Widened(module, scalars)


def _error(made: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> float:
    """The largest error of an output, relative to its root mean square, or to 0.01 where that is smaller: what is
    nearly zero everywhere (a probability) has no digits to lose."""
    errors = [0.0]
    for left, right in zip(made, wanted, strict=True):
        if left.shape != right.shape:
            return float("inf")
        if right.size and np.isfinite(right.astype(np.float64)).all():
            truth = right.astype(np.float64)
            size = max(float(np.sqrt(np.mean(truth**2))), 0.01)
            errors.append(float(np.sqrt(np.mean((left - truth) ** 2))) / size)
    return max(errors)
