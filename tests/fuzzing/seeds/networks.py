"""Small networks of every format that is read, made on the spot: where a search by `search.py` begins."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "float_tflites",
    "ggufs",
    "integer_tflites",
    "onnx_files",
    "onnx_models",
    "onnx_texts",
    "program",
    "pt2_files",
    "pt2_programs",
    "pt2_weights",
    "ptes",
]

#: Operators whose outputs have no type unless onnxruntime infers it.
UNTYPED = ("GroupNormalization", "SimplifiedLayerNormalization")


def integer_tflites(folder: Path) -> Iterator[bytes]:
    """Every operator that C is generated for, in int8 and int16, and a network with state."""
    from helpers.cases import tflite_int16, tflite_models

    for name, make in tflite_models.MAKERS.items():
        yield make(tflite_models.Case(), name)
    yield tflite_int16.network()
    yield tflite_int16.stream()


def float_tflites(folder: Path) -> Iterator[bytes]:
    """A product, a pool, a sum and a reshape in float32, as graphs of an operator or two."""
    from helpers.cases.tflite_models import Builder, schema

    def graph(name: str, shape: tuple[int, ...], after: tuple[int, ...], options: Any, *more: np.ndarray) -> bytes:
        build = Builder("float32")
        first, last = build.tensor(shape, "float32", None), build.tensor(after, "float32", None)
        build.add(name, [first, *(build.constant(array) for array in more)], [last], options)
        return build.finish([first], [last])

    def options(kind: str, **values: Any) -> Any:
        made = getattr(schema, f"{kind}OptionsT")()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    picture, rng = (1, 4, 5, 2), np.random.default_rng(0)
    window = {"strideH": 2, "strideW": 2, "padding": 0}
    kernel, bias = rng.normal(size=(3, 3, 3, 2)).astype(np.float32), np.ones(3, np.float32)
    yield graph("CONV_2D", picture, (1, 2, 3, 3), options("Conv2D", **window), kernel, bias)
    deep = rng.normal(size=(1, 3, 3, 2)).astype(np.float32)
    yield graph("DEPTHWISE_CONV_2D", picture, (1, 2, 3, 2), options("DepthwiseConv2D", **window), deep, bias[:2])
    yield graph(
        "MAX_POOL_2D",
        picture,
        (1, 2, 2, 2),
        options("Pool2D", filterHeight=2, filterWidth=2, **{**window, "padding": 1}),
    )
    yield graph(
        "FULLY_CONNECTED", picture, (1, 3), options("FullyConnected"), rng.normal(size=(3, 40)).astype(np.float32), bias
    )
    yield graph("ADD", picture, picture, options("Add"), np.ones(2, np.float32))
    yield graph("RESHAPE", picture, (1, 40), None, np.array([1, 40], np.int32))
    yield graph("MEAN", picture, (1, 2), options("Reducer"), np.array([1, 2], np.int32))
    yield graph("PAD", picture, (1, 4, 5, 4), None, np.array([[0, 0], [0, 0], [0, 0], [0, 2]], np.int32))
    yield graph(
        "RESIZE_BILINEAR",
        picture,
        (1, 8, 9, 2),
        options("ResizeBilinear", halfPixelCenters=True),
        np.array([8, 9], np.int32),
    )
    yield graph("DEPTH_TO_SPACE", (1, 4, 5, 4), (1, 8, 10, 1), options("DepthToSpace", blockSize=2))


def ggufs(folder: Path) -> Iterator[bytes]:
    from helpers.cases.gguf_files import llama_metadata, write

    facts = llama_metadata(8, 1, tokenizer__ggml__tokens=["a", "b"], tokenizer__ggml__scores=[0.0, 1.0])
    facts["tokenizer.ggml.token_type"] = [np.int32(1), np.int32(1)]
    facts |= {"tokenizer.chat_template": "{{ messages }}", "general.license": "mit", "general.alignment": 32}
    yield write(facts, {"token_embd.weight": np.ones((2, 8), np.float16), "output_norm.weight": np.ones(8, np.float32)})
    facts = {"general.architecture": "x", "x.block_count": 1, "x.embedding_length": 8, "tokenizer.ggml.model": "gpt2"}
    yield write(
        {**facts, "split.count": np.uint16(2), "scale": -0.5, "n": -1}, {"blk.0.attn_q.weight": np.ones((4, 8))}
    )


def ptes(folder: Path) -> Iterator[bytes]:
    """A small network with layers for XNNPACK and a portable operator."""
    from helpers.cases.executorch_cases import LONG, export, sounds

    artifact = export(folder, "fp32", LONG, sounds(20, 30))
    yield (folder / "out" / artifact.file).read_bytes()


def onnx_models() -> Iterator[Any]:
    """Every operator that is translated, in a graph of its own, and a graph with an `If`."""
    import onnx
    from helpers.cases.onnx_operators import heavy, simple
    from helpers.cases.onnx_operators.case import f, model_of
    from onnx import helper, numpy_helper

    kinds: dict[str, Any] = {}
    for case in (*simple.CASES, *heavy.CASES):
        if case.kind not in UNTYPED and "." not in case.kind:
            kinds.setdefault(case.kind, case.model(case.versions[-1])[0])
    yield from kinds.values()
    same = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("a", "b")]
    branches = [
        helper.make_graph([helper.make_node(kind, ["x"], [out.name])], kind, [], [out])
        for kind, out in zip(("Relu", "Neg"), same, strict=True)
    ]
    held = numpy_helper.from_array(np.array(True), "yes")
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branches[0], else_branch=branches[1])
    yield model_of([node], {"x": f(2, 3)}, ["y"], constants=[held])


def onnx_files(folder: Path) -> Iterator[bytes]:
    return (model.SerializeToString() for model in onnx_models())


def onnx_texts(folder: Path) -> Iterator[bytes]:
    """The same models as JSON."""
    from google.protobuf import json_format

    return (json_format.MessageToJson(model, indent=None).encode() for model in onnx_models())


def program(folder: Path) -> Path:
    """A .pt2 of a few layers."""
    from helpers.toys.toy_program import save

    path = folder / "program.pt2"
    if not path.exists():
        save(path)
    return path


def pt2_files(folder: Path) -> Iterator[bytes]:
    yield program(folder).read_bytes()


def pt2_programs(folder: Path) -> Iterator[bytes]:
    yield from _member(program(folder), "models/model.json")


def pt2_weights(folder: Path) -> Iterator[bytes]:
    yield from _member(program(folder), "model_weights_config.json")


def _member(path: Path, suffix: str) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        yield from (archive.read(name) for name in archive.namelist() if name.endswith(suffix))
