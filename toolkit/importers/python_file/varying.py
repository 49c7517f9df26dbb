"""In the child: the axes of the inputs that vary, and the tensors and dimensions that torch.export traces them with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edgekit.common.lazy import np, torch
from edgekit.errors import BadInput
from edgekit.importers.python_file.examples import Arrays, Examples


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
