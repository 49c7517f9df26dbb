"""A first run of an .onnx file: the sizes at which it works, its outputs, its layers, and samples. It is kept."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import edgekit
from edgekit.common.files import hash_file
from edgekit.common.lazy import NDArray, np, onnx
from edgekit.common.memory import limited_memory
from edgekit.core import Axis, TensorSpec, Work
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.formats.onnx import Opened
from edgekit.importers.common import stored
from edgekit.importers.common.stored import SAMPLES, noise
from edgekit.importers.onnx_file.axes import candidates

_RECORD = "record.json"
#: Operators that draw random numbers (Dropout does while training).
_DRAWING = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout")
)
#: Names that coremltools changes by itself.
_WORDS = frozenset(
    (
        *("any", "bool", "program", "func", "tensor", "list", "dict", "tuple", "true", "false", "string", "state"),
        *("bf16", "fp16", "fp32", "fp64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
)


class Trial(msgspec.Struct, frozen=True):
    """What a first run has shown.

    Attributes:
        sizes: open axis -> the size at which it ran. outputs: with their sizes then.
        half: whether most of its weights are in half precision. place: its folder in the cache, "" while it is made.
    """

    sizes: dict[str, int]
    outputs: tuple[TensorSpec, ...]
    work: Work
    half: bool
    place: str = ""

    @property
    def samples(self) -> Path:
        """The folder of the samples, noise."""
        return Path(self.place) / "samples"

    @property
    def plain(self) -> Path:
        """The same by names that are identifiers, with an axis at least."""
        return Path(self.place) / "plain"


def run_trial_once(opened: Opened, wanted: Mapping[str, tuple[int, int]]) -> Trial:
    """The first run of a file, or what an earlier one has shown.

    Args:
        wanted: the user's bounds for axes.

    Raises:
        BadInput: onnxruntime refuses the file, or it runs at none of the sizes that were tried, which includes that it
            asks for more memory than is free.
        Unsupported: it gives other outputs each time.
    """
    files = [opened.file, *(opened.file.parent / name for name in opened.facts.external)]
    place = stored.folder_of("onnx", edgekit.__version__, *map(hash_file, files), repr(sorted(wanted.items())))
    trial = _read_trial(place)
    if trial is None:
        with boundary(), limited_memory(), tempfile.TemporaryDirectory() as work:
            _make(opened, wanted, Path(work) / "trial")
            stored.publish_folder(Path(work) / "trial", place)
        trial = _read_trial(place)
    if trial is None:
        raise BadInput(f"the cache folder {place} cannot be read back.", hint="Remove it, and try again.")
    return trial


def _read_trial(place: Path) -> Trial | None:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        record = msgspec.json.decode((place / _RECORD).read_bytes(), type=Trial)
        trial = msgspec.structs.replace(record, place=str(place))
        if all(len(stored.files(folder)) == SAMPLES for folder in (trial.samples, trial.plain)):
            return trial
    return None


def plain_name(name: str) -> str:
    """A name as an identifier, and as no word of Core ML's language."""
    plain = re.sub(r"^(?=\d)|\W", "_", name, flags=re.ASCII)
    return f"{plain}_" if plain in _WORDS else plain


def _make(opened: Opened, wanted: Mapping[str, tuple[int, int]], place: Path) -> None:
    from edgekit.formats.onnx import load
    from edgekit.importers.onnx_file.costs import work_of

    model = load(opened.file)
    sizes, steps, outputs = _first_run(opened, model, wanted)
    samples = [_sample(opened, model, sizes, steps, seed) for seed in range(SAMPLES)]
    stored.keep(samples, place / "samples")
    stored.keep(
        ({plain_name(k): v.reshape(v.shape or (1,)) for k, v in sample.items()} for sample in samples), place / "plain"
    )
    specs = tuple(TensorSpec(name, array.dtype.name, array.shape) for name, array in outputs.items())
    record = Trial(sizes, specs, work_of("network", _fix_axes(model, sizes, outputs)), _is_half(model))
    (place / _RECORD).write_bytes(msgspec.json.encode(record))


def _first_run(
    opened: Opened, model: onnx.ModelProto, wanted: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, int], bool, dict[str, NDArray[Any]]]:
    """The first sizes at which it runs, whether its scalars are steps (see `_sample`), and its outputs. Those that are
    finite are preferred: what is no number proves nothing."""
    from edgekit.runtimes.onnxruntime.runner import open_model

    runner = open_model(model)
    reason = ""
    for sizes in candidates(opened.facts, wanted):
        try:
            made = {steps: runner(_sample(opened, model, sizes, steps, 0)) for steps in (False, True)}
        except BadInput as exc:
            reason = exc.message
        else:
            steps = not _finite(made[False]) and _finite(made[True])
            _check_repeats(opened, made[steps], runner(_sample(opened, model, sizes, steps, 0)))
            return sizes, steps, made[steps]
    named = next((name for name in sizes), "")
    hint = f"Fix its axes at sizes that it takes, such as --dynamic {named}=48..48." if named else "Export it again."
    raise BadInput(f"{opened.file.name} runs at none of the sizes that were tried. {reason}", hint=hint)


def _check_repeats(opened: Opened, first: Mapping[str, NDArray[Any]], second: Mapping[str, NDArray[Any]]) -> None:
    """Raise Unsupported where the same inputs gave two answers: no bundle of such a graph can be compared with it."""
    for name, value in first.items():
        scale = (
            np.abs(value, dtype=np.float64).max(initial=1e-6, where=np.isfinite(value))
            if value.dtype.kind == "f"
            else 0
        )
        if value.shape == second[name].shape and np.allclose(value, second[name], 1e-3, 1e-3 * scale, equal_nan=True):
            continue
        drawing = sorted(_DRAWING & set(opened.facts.operators))
        raise Unsupported(
            f"{opened.file.name} gives another {name!r} each time for the same inputs"
            + (f": it draws random numbers ({', '.join(drawing)})." if drawing else "."),
            hint="Export it in evaluation mode, or make the random numbers an input of the network.",
        )


def _sample(
    opened: Opened, model: onnx.ModelProto, sizes: Mapping[str, int], steps: bool, seed: int
) -> dict[str, NDArray[Any]]:
    """Noise. `steps`: its scalars are 10, 100, 1,000 in their order, as limits from below and above might be."""
    axes = {name: Axis(size, size, size) for name, size in sizes.items()}
    sample = noise(opened.facts.inputs, axes, _rows(model), seed)
    scalars = [name for name, value in sample.items() if value.ndim == 0 and value.dtype.kind == "f"]
    if steps:
        sample |= {name: np.asarray(10.0 ** (i + 1), sample[name].dtype) for i, name in enumerate(scalars)}
    return sample


def _finite(outputs: Mapping[str, NDArray[Any]]) -> bool:
    return all(np.isfinite(value).all() for value in outputs.values() if value.dtype.kind == "f")


def _rows(model: onnx.ModelProto) -> dict[str, int]:
    """Inputs of whole numbers that look up a table -> the number of its rows."""
    tables = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    counts = {tensor.name: max(tensor.dims) for tensor in model.graph.initializer if tensor.dims and _is_count(tensor)}
    same = {value.name: value.name for value in model.graph.input}
    rows: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Identity", "Reshape", "Unsqueeze", "Expand") and node.input[0] in same:
            same[node.output[0]] = same[node.input[0]]
        if node.op_type == "Gather" and node.input[0] in tables and node.input[1] in same:
            name = same[node.input[1]]
            rows[name] = min(rows.get(name, tables[node.input[0]]), tables[node.input[0]])
        if node.op_type == "Equal":  # one of so many classes, as a row of zeros and a one
            for left, right in (node.input, list(reversed(node.input))):
                if left in same and right in counts:
                    rows[same[left]] = counts[right]
    return rows


def _is_count(tensor: onnx.TensorProto) -> bool:
    """Whether a constant is 0, 1, 2, ..."""
    from edgekit.formats.onnx.graph import array_of

    if math.prod(tensor.dims) != max(tensor.dims) or max(tensor.dims) < 2:
        return False
    values = array_of(tensor).reshape(-1)
    return values.dtype.kind in "iu" and bool(np.array_equal(values, np.arange(values.size)))


def _is_half(model: onnx.ModelProto) -> bool:
    from edgekit.formats.onnx.graph import tensors

    counts = {int(onnx.TensorProto.FLOAT): 0, int(onnx.TensorProto.FLOAT16): 0}
    for tensor in tensors(model):
        if tensor.data_type in counts:
            counts[tensor.data_type] += math.prod(tensor.dims)
    return counts[onnx.TensorProto.FLOAT16] > counts[onnx.TensorProto.FLOAT]


def _fix_axes(model: onnx.ModelProto, sizes: Mapping[str, int], outputs: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """A copy of the graph with every axis at the size of the trial."""
    from edgekit.formats.onnx.checks import shape_of

    out = onnx.ModelProto()
    out.CopyFrom(model)
    del out.graph.value_info[:]
    for value in out.graph.input:
        shape = shape_of(value) or ()
        for place, (dim, size) in enumerate(zip(value.type.tensor_type.shape.dim, shape, strict=True)):
            dim.dim_value = size if isinstance(size, int) else sizes[size or f"{value.name}.{place}"]
    for value in out.graph.output:
        del value.type.tensor_type.shape.dim[:]
        for size in outputs[value.name].shape:
            value.type.tensor_type.shape.dim.add().dim_value = size
    return out
