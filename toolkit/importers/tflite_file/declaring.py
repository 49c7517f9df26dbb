"""A .tflite as a model of one part, which stays the file that it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.common.files import hash_file
from edgekit.core import ImportOptions, Inspection, Model, Part, Progress, TensorSpec
from edgekit.errors import BadInput, Unsupported, boundary
from edgekit.formats import tflite
from edgekit.importers.common import stored
from edgekit.importers.common.declared import Import, declare_import
from edgekit.importers.common.synthetic import keep_noise
from edgekit.importers.tflite_file.costs import chip_costs, work_of

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
