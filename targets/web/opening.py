"""What a page must know of a part besides its tensors, to open and feed it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Facts
from edgekit.errors import Unsupported
from edgekit.formats import tflite
from edgekit.formats.tflite import Subgraph

#: Operators that keep what a stream said before. LiteRT.js has no call that makes them forget.
_STATEFUL = ("VAR_HANDLE", "CALL_ONCE")


def opening_facts(exporter: str, file: Path, census: Facts, declared: tuple[Sequence[str], Sequence[str]]) -> Facts:
    """The facts of the part in `file`, for `open` of its graph in `app/core`.

    Args:
        declared: dtypes of inputs and of outputs as callers see them, in the file's order.

    Returns:
        ``session``: options of onnxruntime-web; ``steps`` of a .tflite: {inputs, outputs}, [scale, zero point] of each
        tensor that the file holds in whole numbers and callers in floats, None of others.

    Raises:
        Unsupported: the .tflite remembers what came before. BadInput: it is damaged.
    """
    if exporter != "litert":
        return {"session": census["session"]} if census.get("session") else {}
    graph = tflite.read(file.read_bytes(), dynamic=True)
    if kept := {op.name for one in graph.subgraphs for op in one.operators} & {*_STATEFUL}:
        raise Unsupported(
            f"{file.name} remembers what came before ({', '.join(sorted(kept))}), and LiteRT.js cannot make it forget.",
            hint="Export with: --target web --runtime onnxruntime-web",
        )
    main = graph.subgraphs[0]
    sides = [_steps(main, places, dtypes) for places, dtypes in zip((main.inputs, main.outputs), declared, strict=True)]
    return {"steps": dict(zip(("inputs", "outputs"), sides, strict=True))} if any(map(any, sides)) else {}


def _steps(graph: Subgraph, places: Sequence[int], dtypes: Sequence[str]) -> list[list[float] | None]:
    held = [(graph.tensors[place], dtype) for place, dtype in zip(places, dtypes, strict=True)]
    return [
        [tensor.quantization.scale[0], tensor.quantization.zero_point[0]]
        if tensor.quantization and "int" in tensor.dtype and "float" in dtype
        else None
        for tensor, dtype in held
    ]
