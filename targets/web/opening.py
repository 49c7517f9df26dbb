"""What a page must know of a part besides its tensors, to open and feed it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Facts, Json
from edgekit.formats import tflite
from edgekit.formats.tflite import Subgraph

#: The operator that names what a network remembers from one call to the next.
_STATE = "VAR_HANDLE"


def opening_facts(exporter: str, file: Path, census: Facts, declared: Sequence[Sequence[str]]) -> Facts:
    """The facts of the part in `file`, for `open` of its graph in `app/core`.

    Args:
        declared: dtypes of inputs, and of outputs, as callers see them, in the file's order.

    Returns:
        ``session``: options of onnxruntime-web. Of a .tflite ``steps``: {inputs, outputs}, [scale, zero point] of each
        tensor that the file holds in whole numbers and callers in floats, None of others; ``stateful``: it remembers.

    Raises:
        BadInput: the .tflite is damaged.
    """
    if exporter != "litert":
        return {"session": census["session"]} if census.get("session") else {}
    graph = tflite.read(file.read_bytes(), dynamic=True)
    main = graph.subgraphs[0]
    sides = [_steps(main, places, dtypes) for places, dtypes in zip((main.inputs, main.outputs), declared, strict=True)]
    facts: dict[str, Json] = (
        {"steps": dict(zip(("inputs", "outputs"), sides, strict=True))} if any(map(any, sides)) else {}
    )
    if any(operator.name == _STATE for one in graph.subgraphs for operator in one.operators):
        facts["stateful"] = True
    return facts


def _steps(graph: Subgraph, places: Sequence[int], dtypes: Sequence[str]) -> list[Json]:
    held = [(graph.tensors[place], dtype) for place, dtype in zip(places, dtypes, strict=True)]
    return [
        [tensor.quantization.scale[0], tensor.quantization.zero_point[0]]
        if tensor.quantization and "int" in tensor.dtype and "float" in dtype
        else None
        for tensor, dtype in held
    ]
