"""Which operators of a .tflite XNNPACK takes: asked of the interpreter that has opened it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from importlib.metadata import version
from pathlib import Path

from edgekit.core import Artifact, Placement, share_of
from edgekit.formats import tflite
from edgekit.runtimes.litert.runner import LitertRunner


def place_part(artifact: Artifact, folder: Path) -> Artifact:
    """`artifact` with its placement. Raises BadInput: LiteRT refuses the file."""
    content = (folder / artifact.file).read_bytes()
    pieces = LitertRunner(content, what=artifact.file).pieces()
    main = tflite.read(content, dynamic=True).subgraphs[0]
    taken = find_operators(main, pieces)
    outside = [operator for operator in main.operators if operator.index not in taken]
    inside = tflite.sum_work(main, [operator for operator in main.operators if operator.index in taken])
    whole = tflite.sum_work(main, main.operators)
    return Placement(
        unit="XNNPACK",
        by=f"ai-edge-litert {version('ai-edge-litert')}",
        fidelity="counted",
        multiplications=share_of(inside.multiplications, whole.multiplications),
        weights=share_of(inside.weights, whole.weights),
        pieces=len(pieces),
        left={
            main.tensors[(*operator.outputs, *operator.inputs)[0]].name: f"{operator.name} is not taken in this form"
            for operator in sorted(outside, key=lambda one: -tflite.work_of(main, one).multiplications)
            if operator.outputs or operator.inputs
        },
    ).note_in(artifact)


def find_operators(graph: tflite.Subgraph, pieces: Iterable[tuple[Set[int], Set[int]]]) -> set[int]:
    """Indices of the operators of pieces: those between the tensors that each takes and those that it gives."""
    makers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    found: set[int] = set()
    for given, gives in pieces:
        wanted = [*gives]
        while wanted:
            operator = makers.get(wanted.pop())
            if operator is not None and operator.index not in found:
                found.add(operator.index)
                wanted += [tensor for tensor in operator.inputs if tensor not in given]
    return found
