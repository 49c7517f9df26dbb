"""Compiling a part for Qualcomm's processor: a context binary for each size that its axes usually have.

The plain graph stays: every phone without the chip runs it, and so does every call of another size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from edgekit.core import Artifact, Board, Feeds, Lowering, Placement
from edgekit.errors import CannotRun, ExportFailed
from edgekit.runtimes.common import onnx_graphs
from edgekit.runtimes.qnn import PACKAGE
from edgekit.runtimes.qnn.padding import padding_of
from edgekit.runtimes.qnn.runner import Graph, describe, description_of, simulator

#: Sizes for which a part is compiled, at most; what share of its calls they must make up.
_SIZES, _ENOUGH = 4, 0.5
#: Bytes of a file that protobuf, in which graphs are handed over, can hold.
_LARGEST = 2**31 - 2**20
#: Names that onnxruntime adds where it moves a layout or joins a sum to a product.
_ADDED = re.compile(r"(/MatMulAddFusion)?(_token_\d+)?$")


def lower(artifact: Artifact, folder: Path, about: Lowering, board: Board) -> Artifact:
    """`artifact` with its placement, and files ``PART.BOARD.N.onnx`` (``.bin``) beside it in `folder`.

    Raises:
        ExportFailed: the compiler fails. CannotRun: it crashes or hangs.
    """
    file = folder / artifact.file
    calls, why = _usual_sizes(about)
    if file.stat().st_size > _LARGEST:
        calls, why = [], "its file is larger than 2 GB, and the compiler takes no such graph"
    with TemporaryDirectory(prefix="edgekit-qnn-") as scratch:
        fixed = [Path(scratch) / f"{i}.onnx" for i in range(len(calls))]
        places = [place_graph(file, feeds, board, graph) for feeds, graph in zip(calls, fixed, strict=True)]
        least = min(places, key=lambda place: place.share, default=None)
        if least is None or least.share == 0:
            placement = _left_off(board, why or "Qualcomm's libraries take none of its layers")
        else:
            graphs, files = _compile(file, fixed, board), []
            shapes = [{name: list(value.shape) for name, value in feeds.items()} for feeds in calls]
            made = [
                Graph(*one, not place.left) for one, place in zip(zip(graphs, shapes, strict=True), places, strict=True)
            ]
            description_of(file).write_text(describe(board, made, padding_of(about.part)), encoding="utf-8")
            files = [description_of(file).name, *graphs, *(path.name for path in folder.glob(f"{file.stem}.*.bin"))]
            placement = replace(least, files=sorted(files), sizes=_describe_sizes(about, calls))
    return placement.note_in(artifact)


def _describe_sizes(about: Lowering, calls: Sequence[Feeds]) -> str:
    """The sizes of each dynamic axis in `calls`: ``"tokens of 64, 128 or 256"``."""
    found: dict[str, set[int]] = {axis: set() for axis in about.part.axes}
    for spec in about.part.inputs:
        for place, axis in enumerate(spec.shape):
            if isinstance(axis, str):
                found.setdefault(axis, set()).update(feeds[spec.name].shape[place] for feeds in calls)
    return ", ".join(f"{axis} of {' or '.join(map(str, sorted(sizes)))}" for axis, sizes in found.items() if sizes)


def _left_off(board: Board, why: str) -> Placement:
    return Placement(
        _unit(board), f"{PACKAGE} {version(PACKAGE)}", "simulated", 0.0, 0.0, 0, verdict="leave it off", why=why
    )


def _unit(board: Board) -> str:
    return f"Qualcomm HTP, {board.name.upper()}"


def _usual_sizes(about: Lowering) -> tuple[list[Feeds], str]:
    """A call of each size that the part is compiled for, the most usual first; empty, and why, where its sizes change
    too often."""
    calls = [feeds for feeds, _ in about.calls]
    if (padding := padding_of(about.part)) is not None:
        specs = about.part.inputs
        shortest = min(calls, key=lambda feeds: padding.size_of(specs, feeds))
        reach = padding.size_of(specs, shortest)
        return [padding.lengthen(specs, shortest, size) for size in padding.sizes() if size >= reach], ""
    sizes = [tuple((name, value.shape) for name, value in feeds.items()) for feeds in calls]
    counted = Counter(sizes).most_common(_SIZES)
    if sum(count for _, count in counted) < _ENOUGH * len(calls):
        varying = ", ".join(sorted(axis for axis in about.part.axes))
        why = f"{varying} had {len(set(sizes))} sizes in {len(calls)} calls, and the processor takes fixed ones"
        return [], why
    return [calls[sizes.index(size)] for size, _ in counted], ""


def place_graph(file: Path, feeds: Feeds, board: Board, fixed: Path) -> Placement:
    """Where the layers of `file` run for inputs of the sizes of `feeds`; writes the graph of these sizes to `fixed`.

    Raises:
        CannotRun: Qualcomm's libraries refuse it, crash or hang.
    """
    model = onnx_graphs.fix_axes(file, feeds)
    onnx.save(model, fixed)
    answer, _ = simulator().ask({"do": "place", "file": str(fixed), "unit": board.unit})
    return _count(model, feeds, answer["groups"], board)


def _compile(file: Path, fixed: Sequence[Path], board: Board) -> list[str]:
    """Write the context binary of all sizes. Returns the names of the ONNX files that name it, one a size."""
    outs = [file.with_suffix(f".{board.name}.{i}.onnx") for i in range(len(fixed))]
    for path in outs:
        path.unlink(missing_ok=True)  # of an attempt before: the compiler writes over nothing
    words = {"do": "compile", "unit": board.unit, "files": [*map(str, fixed)], "outs": [*map(str, outs)]}
    try:
        simulator().ask(words)
    except CannotRun as exc:
        raise ExportFailed(f"Qualcomm's compiler refuses the part {file.stem!r}: {exc.message}") from exc
    if missing := [out.name for out in outs if not out.is_file()]:
        raise ExportFailed(f"Qualcomm's compiler wrote no {missing[0]}, and said nothing.")
    return [out.name for out in outs]


def _count(model: onnx.ModelProto, feeds: Feeds, groups: Sequence[Any], board: Board) -> Placement:
    """Shares and pieces from the nodes that each provider has."""
    pieces = [names for on_unit, names in groups if on_unit]
    off = {_ADDED.sub("", name) for on_unit, names in groups if not on_unit for name in names}
    why = {node.name: f"{node.op_type} is not taken in this form" for node in model.graph.node if node.name in off}
    place = Placement(_unit(board), f"{PACKAGE} {version(PACKAGE)}", "simulated", None, None, len(pieces))
    taken = {_ADDED.sub("", name) for names in pieces for name in names}
    return onnx_graphs.place_nodes(model, feeds, taken, why, place)
