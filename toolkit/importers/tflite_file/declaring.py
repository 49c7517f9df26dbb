"""A .tflite as a model of one part, which stays the file that it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from edgekit.common.files import hash_file
from edgekit.core import Costs, ImportOptions, Inspection, Model, Part, Progress, TensorSpec, Work
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.formats import tflite
from edgekit.importers.common import stored
from edgekit.importers.common.declared import Import, declare_import
from edgekit.importers.common.stored import keep_noise
from edgekit.numerics.layers import Layer, work

#: Bytes of the kernels of a small network on a chip, as `exporters/c` counts them.
_CODE = 6_000
#: Bytes of a channel's multiplier and shift.
_CHANNEL = 8
#: Bytes of a value; what a chip does not hold (the handle of a variable) takes none.
_SIZES = {"bool": 1, "int4": 1, "int8": 1, "uint8": 1, "int16": 2, "float16": 2, "int32": 4, "float32": 4, "int64": 8}
_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")


def work_of(part: str, graph: tflite.Graph) -> Work:
    """The weights and the work of a call."""
    main = graph.subgraphs[0]
    layers: list[Layer] = []
    for operator in main.operators:
        if operator.name not in _PRODUCTS:
            continue
        # A transposed convolution takes its output's shape first, and its input last.
        before = main.tensors[operator.inputs[2 if operator.name == "TRANSPOSE_CONV" else 0]]
        weight, after = main.tensors[operator.inputs[1]], main.tensors[operator.outputs[0]]
        outputs = after.shape[-1] if after.shape else 1
        uses = before if operator.name == "TRANSPOSE_CONV" else after
        positions = max(1, uses.count // max(1, uses.shape[-1] if uses.shape else 1))
        layers.append(Layer(weight.count, outputs, positions, before.count + after.count))
    constants = sum(
        tensor.count for tensor in main.tensors if tensor.data is not None and tensor.dtype in ("float32", "float16")
    )
    counted = sum(layer.weights + layer.outputs for layer in layers)
    convolutional = any("CONV" in operator.name for operator in main.operators)
    return work(
        part,
        "convolution" if convolutional else "vector",
        layers,
        tables=max(0, constants - counted),
        held=max((prod(tensor.shape) for tensor in main.tensors if tensor.data is None), default=0),
    )


def chip_costs(graph: tflite.Graph) -> Costs:
    """Flash and RAM of firmware: there is no runtime, and one arena holds what an operator may still read."""
    main = graph.subgraphs[0]
    weights = {index for operator in main.operators if operator.name in _PRODUCTS for index in operator.inputs}
    held = [main.tensors[index] for index in sorted(weights) if index >= 0 and main.tensors[index].data is not None]
    channels = sum(tensor.count for tensor in held if tensor.dtype == "int32")
    flash = _CODE + sum(_bytes(tensor) for tensor in held) + _CHANNEL * channels
    ram = _arena(main)
    return Costs(size=lambda recipe: flash, memory=lambda recipe: ram)


def _arena(main: tflite.Subgraph) -> int:
    """The least that holds, at every operator, what is read or written there or read later; and the variables."""
    last: dict[int, int] = {}
    for place, operator in enumerate(main.operators):
        last |= dict.fromkeys((*operator.inputs, *operator.outputs), place)
    last |= dict.fromkeys(main.outputs, len(main.operators))
    kept = {index for operator in main.operators if operator.name == "READ_VARIABLE" for index in operator.outputs}
    alive, most = set(main.inputs), 0
    for place, operator in enumerate(main.operators):
        alive |= {*operator.outputs} - kept
        most = max(most, sum(_bytes(main.tensors[index]) for index in alive if main.tensors[index].data is None))
        alive = {index for index in alive if last.get(index, 0) > place}
    return most + sum(_bytes(main.tensors[index]) for index in kept)


def _bytes(tensor: tflite.Tensor) -> int:
    return tensor.count * _SIZES.get(tensor.dtype, 0)


_TASK = "tensors"
#: A flatbuffer's offsets have 31 bits.
_LARGEST = 2**31
#: Dtypes of weights -> the precision of a file that holds mostly such.
_PRECISIONS = {"int8": "int8", "uint8": "int8", "int4": "int8", "float16": "fp16", "float32": ""}
#: Dtypes that a chip's network takes and gives.
_INTEGERS = {"int8", "uint8", "int16"}


@dataclass(frozen=True)
class _File:
    path: Path
    graph: tflite.Graph
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: Mapping[str, int]
    precision: str

    @property
    def integer(self) -> bool:
        """Whether a microcontroller can take it: integers in, integers out, weights of 8 bits."""
        return self.precision == "int8" and all(spec.dtype in _INTEGERS for spec in (*self.inputs, *self.outputs))

    @property
    def parameters(self) -> int:
        """Number of weights: the constants that are no whole numbers of 32 or 64 bits (biases, shapes)."""
        main = self.graph.subgraphs[0]
        return sum(tensor.count for tensor in main.tensors if tensor.data is not None and tensor.dtype in _PRECISIONS)


def inspect_file(source: str, kind: str, options: ImportOptions) -> Inspection:
    """The description of the file."""
    _check(options)
    file = _open_source(source)
    notes = ["it is taken as it is, for LiteRT" + (" and for C on a microcontroller" if file.integer else "")]
    notes.append(f"most weights are {file.precision or 'fp32'}")
    if any(operator.startswith("CUSTOM") for operator in file.operators):
        notes.append("it has custom operators, which LiteRT may lack")
    return Inspection(
        source=source,
        kind=kind,
        architecture=f"a LiteRT graph of {sum(file.operators.values())} operators",
        tasks=(_TASK,),
        inputs=file.inputs,
        outputs=file.outputs,
        operators=file.operators,
        parameters=file.parameters,
        notes=tuple(notes),
    )


def declaration(source: str, kind: str, options: ImportOptions, progress: Progress) -> Model:
    """The model whose part ``network`` is the file."""
    _check(options)
    file = _open_source(source)
    samples = _noise(file)
    part = Part("network", file.inputs, file.outputs, {}, None)
    note = f"the file is {file.precision or 'fp32'}, and is taken as it is" if file.precision else ""
    model = declare_import(
        Import(
            source=source,
            importer=kind,
            parts=(part,),
            hub=str(file.path),
            facts={"notes": [note]} if note else {},
            parameters=file.parameters,
            works=(work_of("network", file.graph),),
            task=_TASK,
            golden=str(stored.files(samples)[0]),
            evidence=stored.evidence_of(stored.files(samples), "", synthetic=True),
            ready="tflite",
            variants={"integers": (part,)} if file.integer else {},
        )
    )
    if note:
        progress(note, 0, 0)
    network = replace(model.network, precision=file.precision)
    chips = {
        name: replace(m, network=replace(m.network, integers=True), costs=chip_costs(file.graph))
        for name, m in network.variants.items()
    }
    return replace(model, network=replace(network, variants=chips))


def _check(options: ImportOptions) -> None:
    if options.task not in ("", _TASK):
        raise Unsupported(
            f"a .tflite says nothing of {options.task!r}: its tensors are all that is known.", hint="Leave --task out."
        )
    if options.axes:
        raise BadInput(
            f"there is no dynamic axis {min(options.axes)!r}: the axes of a .tflite are fixed.",
            hint="Leave --dynamic out, or convert the network again with other sizes.",
        )


def _open_source(source: str) -> _File:
    path = Path(source).expanduser()
    if not path.is_file():
        raise BadInput(f"there is no file {source!r}.", hint="Check the path.")
    if path.stat().st_size > _LARGEST:
        raise BadInput(f"{path.name} has {path.stat().st_size} bytes; a .tflite has at most {_LARGEST}.")
    with boundary():
        graph = tflite.read(path.read_bytes())
    main = graph.subgraphs[0]
    counts: Counter[str] = Counter()
    for tensor in main.tensors:
        if tensor.data is not None and tensor.dtype in _PRECISIONS:
            counts[_PRECISIONS[tensor.dtype]] += tensor.count
    return _File(
        path,
        graph,
        _specs(main, main.inputs, "input"),
        _specs(main, main.outputs, "output"),
        dict(Counter(operator.name for operator in main.operators).most_common()),
        counts.most_common(1)[0][0] if counts else "",
    )


def _specs(main: tflite.Subgraph, indices: Sequence[int], kind: str) -> tuple[TensorSpec, ...]:
    """With the tensors' own names where they differ from each other."""
    tensors = [main.tensors[index] for index in indices]
    names = [tensor.name for tensor in tensors]
    if not all(names) or len(set(names)) < len(names):
        names = [f"{kind}_{place}" for place in range(len(names))]
    return tuple(TensorSpec(name, t.dtype, t.shape) for name, t in zip(names, tensors, strict=True))


def _noise(file: _File) -> Path:
    """The folder of synthetic samples in the cache, made once."""
    rows = {spec.name: {"int8": 127, "uint8": 255}.get(spec.dtype, 0) for spec in file.inputs}
    return keep_noise(("tflite", hash_file(file.path)), file.inputs, {}, rows)
