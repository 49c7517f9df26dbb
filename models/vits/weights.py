"""The weights of a Piper voice: an .onnx that PyTorch wrote, whose constants have the original's names, but for those
that the writer folded; these are known by the nodes that use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from torch import nn

from edgekit.common.lazy import onnx
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.onnx import load
from edgekit.formats.onnx.graph import array_of
from edgekit.models.common.filling import load_tensors
from edgekit.models.vits.shapes import Shape
from edgekit.models.vits.sound import SoundDecoder
from edgekit.models.vits.text import TextEncoder

_Module = TypeVar("_Module", bound=nn.Module)

#: The graph's input with the phonemes' ids; name of the table that it chooses from; first flow of the durations.
_IDS, _TABLE, _AFFINE = "input", "enc_p.emb.weight", "dp.flows.0"


def encoder(checkpoint: Checkpoint, shape: Shape) -> TextEncoder:
    """The part from phonemes to durations and means. Raises BadInput for other weights."""
    return _load_weights(TextEncoder(shape), checkpoint)


def decoder(checkpoint: Checkpoint, shape: Shape) -> SoundDecoder:
    """The part from latent frames to samples. Raises BadInput for other weights."""
    return _load_weights(SoundDecoder(shape), checkpoint)


def _load_weights(module: _Module, checkpoint: Checkpoint) -> _Module:
    if checkpoint.path.suffix != ".onnx":
        raise BadInput(f"a Piper voice comes as its .onnx, not as {checkpoint.path.name}.")
    graph = load(checkpoint.path).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    names = {**{name: name for name in stored}, **dict(_weight_aliases(graph))}
    arrays = {name: array_of(stored[names[name]]) for name in module.state_dict() if names.get(name) in stored}
    hint = "A voice of one speaker and medium quality will do."
    return load_tensors(module, arrays, "a Piper voice's of this size", hint=hint)


def _weight_aliases(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    """(the original's name of a weight, its name in the file) where these differ."""
    after: dict[str, onnx.NodeProto] = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        inputs = list(node.input)
        if node.op_type in ("Conv", "ConvTranspose") and len(inputs) == 3 and inputs[2].endswith(".bias"):
            yield inputs[2].removesuffix("bias") + "weight", inputs[1]
        elif node.op_type == "Gather" and inputs[1] == _IDS:
            yield _TABLE, inputs[0]
        elif node.op_type == "Sub" and inputs[1] == f"{_AFFINE}.m":
            scaled = after.get(node.output[0])
            if scaled is not None and scaled.op_type == "Mul":
                yield f"{_AFFINE}.scale", next(name for name in scaled.input if name != node.output[0])
