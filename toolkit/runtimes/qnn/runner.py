"""Running a part that was compiled for Qualcomm's processor on its simulator, and calls of other sizes on this one."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec

from edgekit.common.documents import read_json
from edgekit.common.files import is_inside
from edgekit.common.lazy import NDArray, onnx
from edgekit.core import Board, Feeds, Runner
from edgekit.errors import BadInput, CannotRun, need
from edgekit.formats.descriptions import refuse_damage
from edgekit.runtimes.common.feeds import checked_feeds
from edgekit.runtimes.common.process import Process
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.qnn import PACKAGE
from edgekit.runtimes.qnn.padding import Padding

#: Seconds of an answer of the simulator: the encoder of whisper-base takes 115 for 30 s of sound.
_LIMIT = 600.0
_AGAIN = "Export it again."


@dataclass(frozen=True)
class Graph:
    """A compiled size of a part.

    Attributes:
        file: an ONNX file that names the context binary. shapes: input -> its shape. whole: whether no layer of it is
            left to the processor of the phone.
    """

    file: str
    shapes: Mapping[str, Sequence[int]]
    whole: bool


def description_of(file: Path) -> Path:
    """The place of the description of a part."""
    return file.with_suffix(".qnn.json")


def unit_of(file: Path) -> str:
    """The chip that a part was compiled for, as Qualcomm's libraries call it. Raises as `load`."""
    return _read_description(description_of(file), file).unit


@dataclass(frozen=True)
class Compiled:
    """What a part's description says: the chip, as Qualcomm's libraries call it, and the sizes."""

    unit: str
    graphs: Sequence[Graph]
    padding: Padding | None


def describe(board: Board, graphs: Sequence[Graph], padding: Padding | None) -> str:
    """The text of a part's description, which `load` reads: which file is for which chip and size."""
    facts = {
        "board": board.name,
        PACKAGE: version(PACKAGE),
        **asdict(Compiled(board.unit, graphs, padding)),
    }
    return json.dumps(facts, indent=1) + "\n"


@cache
def simulator() -> Process:
    """The process of Qualcomm's simulator, one for all parts."""
    return Process("edgekit.runtimes.qnn.simulator", "Qualcomm's simulator", _LIMIT)


def load(file: Path, threads: int) -> Runner:
    """Open a part. Raises BadInput: its description is damaged, or of another version of the libraries."""
    description = description_of(file)
    if not description.is_file():
        return OnnxRunner(file, threads)
    with need("qnn", "Running a part that was compiled for Qualcomm's processor"):
        import onnxruntime_qnn  # noqa: F401
    return QnnRunner(file, threads, _read_description(description, file))


def _read_description(description: Path, file: Path) -> Compiled:
    with refuse_damage(f"{description.name}, the description of a part, cannot be read."):
        facts = read_json(description)
        made_by = str(facts[PACKAGE])
        compiled = msgspec.convert(facts, Compiled)
    if made_by != version(PACKAGE):
        raise CannotRun(
            f"{file.name} was compiled by {PACKAGE} {made_by}, and {version(PACKAGE)} is installed.", hint=_AGAIN
        )
    if not all(is_inside(graph.file) and (file.parent / graph.file).is_file() for graph in compiled.graphs):
        raise BadInput(f"{description.name} names a file that is not in the bundle.", hint=_AGAIN)
    return compiled


def compiled_files(file: Path, feeds: Feeds) -> list[Path]:
    """The ONNX file that `file` was compiled to for the sizes of `feeds`, and the binary that it names; empty where
    there is none, or one that several sizes share. Raises BadInput as `load`."""
    description = description_of(file)
    graphs = _read_description(description, file).graphs if description.is_file() else ()
    sizes = _sizes({name: value.shape for name, value in feeds.items()})
    if len(graphs) != 1 or _sizes(graphs[0].shapes) != sizes:
        return []
    return [file.parent / graphs[0].file, *sorted(file.parent.glob(f"{file.stem}.*.bin"))]


class QnnRunner(Runner):
    """A part on the simulator of its chip. Calls of sizes that it was not compiled for run on this processor, as
    they do on the phone."""

    def __init__(self, file: Path, threads: int, compiled: Compiled) -> None:
        self._file, self._threads, self._unit = file, threads, compiled.unit
        self._graphs = {_sizes(graph.shapes): graph for graph in compiled.graphs}
        self._padding = compiled.padding
        self.inputs, self.outputs = self._cpu.inputs, self._cpu.outputs

    @cached_property
    def _scratch(self) -> Path:
        folder = mkdtemp(prefix="edgekit-qnn-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _place(self, graph: Graph, arrays: Feeds) -> Path:
        """What the simulator opens: the context, or, as it opens none that several sizes share, the graph of the
        size."""
        if len(self._graphs) == 1:
            return self._file.parent / graph.file
        fixed = self._scratch / graph.file
        if not fixed.is_file():
            from edgekit.runtimes.common.onnx_graphs import fix_axes

            onnx.save(fix_axes(self._file, arrays), fixed)
        return fixed

    @cached_property
    def _cpu(self) -> OnnxRunner:
        return OnnxRunner(self._file, self._threads)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Raises BadInput for a missing input or one of another dtype or shape; CannotRun: the simulator fails."""
        values = checked_feeds("the part", self.inputs, feeds)
        arrays = {spec.name: value for spec, value in zip(self.inputs, values, strict=True)}
        if self._padding is None:
            return self._run(arrays)
        size = self._padding.size_of(self.inputs, arrays)
        longer = next((to for to in self._padding.sizes() if to >= size), size)
        outputs = self._run(self._padding.lengthen(self.inputs, arrays, longer))
        return self._padding.shorten(self.outputs, outputs, size)

    def _run(self, arrays: Feeds) -> dict[str, NDArray[Any]]:
        graph = self._graphs.get(_sizes({name: value.shape for name, value in arrays.items()}))
        if graph is None:
            return self._cpu(arrays)
        words = {"do": "run", "file": str(self._place(graph, arrays)), "unit": self._unit, "whole": graph.whole}
        _, found = simulator().ask(words, arrays)
        return {spec.name: found[spec.name] for spec in self.outputs}


def _sizes(shapes: Mapping[str, Sequence[int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted((name, tuple(shape)) for name, shape in shapes.items()))
