"""In the child: build the user's module, trace it with torch.export, and write the program and its examples."""

from __future__ import annotations

import copy
import logging
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.lazy import np, torch
from edgekit.core import Facts
from edgekit.errors import BadInput, Unsupported, need
from edgekit.formats import pt2
from edgekit.importers.common import stored
from edgekit.importers.common.foreign import user_file
from edgekit.importers.common.foreign.child import begin, place_of, stage
from edgekit.importers.common.foreign.traced import PROGRAM, SAMPLES
from edgekit.importers.python_file.examples import Arrays, Examples, collect_examples
from edgekit.importers.python_file.outputs import named_outputs
from edgekit.importers.python_file.state_dict import load_weights
from edgekit.numerics.finite import not_numbers


class Varying(NamedTuple):
    """An axis that varies: its least and largest size."""

    least: int
    most: int


def varying_axes(examples: Examples, wanted: Mapping[str, Varying], label: str) -> dict[tuple[str, int], Varying]:
    """(input, position) -> range of every axis that varies among the examples, or shall vary."""
    first = examples.samples[0]
    axes: dict[tuple[str, int], Varying] = {}
    for name, array in first.items():
        for i in range(array.ndim):
            sizes = {sample[name].shape[i] for sample in examples.samples}
            if len(sizes) > 1:
                axes[name, i] = Varying(min(sizes), max(sizes))
    for name, limits in wanted.items():
        place = _place(name, first, axes, label)
        sizes = {sample[place[0]].shape[place[1]] for sample in examples.samples}
        if not limits.least <= min(sizes) or not max(sizes) <= limits.most:
            raise BadInput(
                f"{label}: --dynamic {name}={limits.least}..{limits.most} leaves out the examples, whose sizes are "
                f"{', '.join(map(str, sorted(sizes)[:8]))}."
            )
        axes[place] = limits
    return {place: limits for place, limits in axes.items() if limits.least < limits.most}


def _place(name: str, first: Arrays, axes: Mapping[tuple[str, int], Varying], label: str) -> tuple[str, int]:
    """The axis that the user means: ``INPUT_POSITION``, or an input with a single axis that can vary."""
    for tensor, array in first.items():
        for i in range(array.ndim):
            if name in (f"{tensor}_{i}", f"{tensor}.{i}"):
                return tensor, i
    if name in first:
        varying = [place for place in axes if place[0] == name]
        if len(varying) == 1:
            return varying[0]
        if first[name].ndim in (1, 2):  # a row, or a batch of rows
            return name, first[name].ndim - 1
    offered = [f"{tensor}_{i}" for tensor, array in first.items() for i in range(array.ndim)]
    raise BadInput(f"{label}: there is no axis {name!r}.", hint=f"Axes: {', '.join(offered)}.")


def dimensions(
    inputs: Mapping[str, torch.Tensor], varying: Mapping[tuple[str, int], Varying], *, follow: bool
) -> dict[str, dict[int, object]]:
    lengths = {inputs[name].shape[i] for name, i in varying}
    dims: dict[str, dict[int, object]] = {}
    for name, tensor in inputs.items():
        dims[name] = {}
        for i, size in enumerate(tensor.shape):
            if limits := varying.get((name, i)):
                dims[name][i] = torch.export.Dim.DYNAMIC(min=limits.least, max=limits.most)
            elif follow and size in lengths:
                dims[name][i] = torch.export.Dim.AUTO
    return dims


def traceable(sample: Arrays, varying: Mapping[tuple[str, int], Varying]) -> dict[str, torch.Tensor]:
    """The tensors to trace with: a varying axis has at least two entries, as torch takes a single one for fixed."""
    inputs = {}
    for name, array in sample.items():
        for i, size in enumerate(array.shape):
            if (limits := varying.get((name, i))) and size < 2:
                array = np.take(array, np.zeros(min(limits.most, 3), int), axis=i)
        inputs[name] = torch.from_numpy(np.array(array))  # its own memory: two uses of one tensor are one input
    return inputs


_BUILDERS = ("build", "get_model")
#: Relative error of the traced graph against the module itself: the same operators on the same processor.
_SAME = 1e-3


def trace(arguments: Mapping[str, Any], scratch: Path) -> Facts:
    """Trace ``arguments["file"]`` with the dynamic axes ``arguments["axes"]`` into `scratch`.

    Returns:
        facts: names of the module and of its labels, whether its inputs are noise, and notes.

    Raises:
        BadInput: it cannot be traced, or the graph gives other answers. Unsupported: it draws random numbers.
    """
    with need("export", "tracing a Python file"):
        import torch
    begin()
    path = Path(arguments["file"])
    module = user_file.import_file(path)
    network, notes = _network(module, arguments["function"], path.name)
    examples = collect_examples(module, network, path.name, wide=bool(notes))
    wanted = {str(name): Varying(int(least), int(most)) for name, (least, most) in arguments["axes"].items()}
    varying = varying_axes(examples, wanted, path.name)
    with torch.no_grad():
        program = _export_program(network, examples.samples, varying, path.name)
        stage("saving")
        program.example_inputs = None  # a pickle, which nobody will open
        torch.export.save(program, scratch / PROGRAM)
        _check_supported(scratch / PROGRAM, path.name)  # before one that draws random numbers is told to differ
        _check_same(program, network, examples.samples, path.name)
    names = list(program.graph_signature.user_inputs)
    stored.keep((dict(zip(names, sample.values(), strict=True)) for sample in examples.samples), scratch / SAMPLES)
    return {
        "architecture": type(network).__name__,
        "labels": _labels(module, path.name),
        "synthetic": examples.synthetic,
        "preprocess": examples.preprocessed,
        "score": user_file.optional(module, "score") is not None,
        "notes": [*notes, *examples.notes],
    }


def _network(module: types.ModuleType, name: str, label: str) -> tuple[Any, list[str]]:
    """The module that the file builds, in float32 and in eval mode."""
    function = user_file.function_of(module, *([name] if name else _BUILDERS))
    stage(f"{function.__name__ if hasattr(function, '__name__') else name}()")
    network = function()
    if isinstance(network, tuple) and network and isinstance(network[0], torch.nn.Module):
        network, *beside = network  # LiteRT-CLI's files may give a configuration beside it
        if beside and isinstance(beside[0], str | Path):
            load_weights(network, Path(str(module.__file__)).parent / beside[0], label)
    if not isinstance(network, torch.nn.Module):
        raise BadInput(
            f"{label}: {name or 'build'}() gave {type(network).__name__}, not a torch.nn.Module.",
            hint="Return the module itself, with its weights.",
        )
    if why := not_numbers(network):
        raise BadInput(f"{label}: {why}.", hint="Load a checkpoint that is whole, or train again: such weights spread.")
    notes = []
    if any(tensor.dtype in (torch.float16, torch.bfloat16, torch.float64) for tensor in network.parameters()):
        notes.append("weights of another precision are used as float32")
        network = network.float()
    return network.cpu().eval().requires_grad_(False), notes


def _labels(module: types.ModuleType, label: str) -> list[str]:
    labels = vars(module).get("labels", ())
    if not isinstance(labels, list | tuple) or not all(isinstance(item, str) and item for item in labels):
        raise BadInput(f"labels in {label} is not a list of names.")
    return list(labels)


def _export_program(
    network: Any, samples: Sequence[Arrays], varying: Mapping[tuple[str, int], Varying], label: str
) -> torch.export.ExportedProgram:
    """The traced program. Axes of other inputs that must be as long as a varying one vary with it."""
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    stage("tracing of forward()")
    flat, original = _wrap_forward(network, label), network.forward
    network.forward = types.MethodType(flat, network)
    logging.disable(logging.ERROR)  # torch logs the traceback of what it then raises
    try:
        inputs = traceable(samples[0], varying)
        try:
            return _attempt(network, inputs, dimensions(inputs, varying, follow=False))
        except GuardOnDataDependentSymNode as exc:
            raise BadInput(
                f"{place_of(exc)}: forward() decides by the values of its tensors, which a traced graph cannot do.",
                hint="Compute both sides and choose: torch.where(condition, a, b).",
            ) from exc
        except torch._dynamo.exc.UserError as exc:
            if not varying:
                raise
            try:
                return _attempt(network, inputs, dimensions(inputs, varying, follow=True))
            except torch._dynamo.exc.UserError:
                why = re.findall(r"You marked (.{1,300}?)(?:\. | If you)", " ".join(str(exc).split()))
                axes = ", ".join(f"{name}_{i}" for name, i in varying)
                raise BadInput(
                    f"{label}: forward() does not allow every size of {axes}: torch says: "
                    f"{'; '.join(why) or str(exc).splitlines()[0]}.",
                    hint="Give examples of a single size, or take out what depends on the size.",
                ) from exc
    finally:
        network.forward = original
        logging.disable(logging.NOTSET)


def _attempt(
    network: Any, inputs: Mapping[str, torch.Tensor], dims: Mapping[str, object]
) -> torch.export.ExportedProgram:
    import inspect

    named = inspect.signature(network.forward).parameters
    if all(name in named for name in inputs):
        return torch.export.export(network, (), dict(inputs), dynamic_shapes=dict(dims) or None, strict=False)
    shapes = (tuple(dims[name] for name in inputs),)  # forward(*tensors)
    return torch.export.export(network, tuple(inputs.values()), dynamic_shapes=shapes, strict=False)


def _wrap_forward(network: Any, label: str) -> Any:
    """forward with its tensors as a dict by name, whatever it returns; its signature is kept."""
    import functools

    original = type(network).forward if "forward" not in vars(network) else network.forward
    bound = "forward" not in vars(network)

    @functools.wraps(original)
    def flat(self: Any, *arguments: Any, **named: Any) -> dict[str, torch.Tensor]:
        result = original(self, *arguments, **named) if bound else original(*arguments, **named)
        return named_outputs(result, label)

    return flat


def _check_supported(program: Path, label: str) -> None:
    try:
        pt2.read(program)
    except Unsupported as exc:
        raise Unsupported(f"{label}: {exc.message}", hint=exc.hint) from exc


def _check_same(program: Any, network: Any, samples: Sequence[Arrays], label: str) -> None:
    """Raise BadInput where the traced graph gives other answers than the module: values decide in forward()."""
    stage("comparing the traced graph with the module")
    traced = program.module(check_guards=False)
    for i, sample in list(enumerate(samples))[:: max(1, len(samples) // 4)]:
        tensors = [torch.from_numpy(array.copy()) for array in sample.values()]
        named = dict(zip(sample, tensors, strict=True))
        open_ended = any(name.startswith("input_") for name in sample) and not _takes(network, named)
        result = network(*copy.deepcopy(tensors)) if open_ended else network(**copy.deepcopy(named))
        wanted = named_outputs(result, label)
        given = traced(*tensors) if open_ended else traced(**named)
        for name, tensor in wanted.items():
            other = given.get(name)
            if other is None or other.shape != tensor.shape or not _near(other, tensor):
                raise BadInput(
                    f"{label}: the traced graph gives another {name!r} than build() itself for example {i}: forward() "
                    "decides by values, or draws random numbers.",
                    hint="Let forward() compute with tensors alone, the same for the same inputs.",
                )


def _takes(network: Any, named: Iterable[str]) -> bool:
    import inspect

    parameters = inspect.signature(network.forward).parameters
    return all(name in parameters for name in named)


def _near(value: Any, wanted: Any) -> bool:
    value, wanted = value.double(), wanted.double()
    return bool((value - wanted).norm() <= _SAME * wanted.norm() + 1e-9) or bool(value.equal(wanted))
