"""PP-OCR's ONNX files as torch modules from a camera's bytes: colours are put in their order and normalised inside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgekit.common.lazy import onnx
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.onnx import load, open_file
from edgekit.formats.onnx.translation import translate

#: Key of the recogniser's metadata that lists its characters, one a line.
_CHARACTERS = "character"


class PaddleNetwork(nn.Module):
    """RGB bytes uint8 [1, height, width, 3] -> the first output of `graph`, which takes float32 [1, 3, height, width]
    in BGR from -1 to 1. With `channel` that axis is left out: [1, 1, height, width] becomes [1, height, width]."""

    def __init__(self, graph: nn.Module, *, channel: bool = False) -> None:
        super().__init__()
        self.network, self._channel = graph, channel  # TorchScript has a "graph" of its own

    def forward(self, pixels: Tensor) -> Tensor:
        values = pixels.to(torch.float32) / 127.5 - 1.0
        out: Tensor = self.network(torch.flip(values, [3]).permute(0, 3, 1, 2))
        return out[:, 0] if self._channel else out


def network(checkpoint: Checkpoint, name: str, size: tuple[int, int], output: Sequence[int]) -> PaddleNetwork:
    """The network in the file `name` of a checkpoint, for pictures of `size` (height, width).

    Raises:
        BadInput: it is absent, or its output for this size is not [1, *output].
    """
    file = checkpoint.path / name
    if checkpoint.format != "onnxes" or name not in checkpoint.files:
        raise BadInput(f"the weights in {checkpoint.path.name} lack {name}.", hint="Give a folder with PP-OCR's files.")
    if [spec.shape[1:2] for spec in open_file(file).facts.inputs] != [(3,)]:
        raise BadInput(f"{name} does not take pictures of three colours.")
    model = load(file)
    if len(output) == 2:
        _without_softmax(model)
    graph = translate(model, [torch.zeros(1, 3, *size)])
    module = PaddleNetwork(graph, channel=tuple(output) == size)
    with torch.inference_mode():
        made = list(module(torch.zeros(1, *size, 3, dtype=torch.uint8)).shape)
    if made != [1, *output]:
        raise BadInput(f"{name} gives {made} for a picture of {size[1]} x {size[0]}, not {[1, *output]}.")
    return module.eval()


def _without_softmax(model: onnx.ModelProto) -> None:
    """Logits are comparable where probabilities are not: a step between two letters is decided by the last digit."""
    (output,) = model.graph.output
    (last,) = (node for node in model.graph.node if output.name in node.output)
    if last.op_type == "Softmax":
        output.name = last.input[0]
        model.graph.node.remove(last)


def characters(checkpoint: Checkpoint, name: str) -> list[str]:
    """The characters of the recogniser's classes from 1 on; the last is a space, which its file does not list.

    Raises:
        BadInput: the file does not list them.
    """
    listed = open_file(checkpoint.path / name).model.metadata_props
    values = [entry.value for entry in listed if entry.key == _CHARACTERS]
    if not values:
        raise BadInput(f"{name} does not say which characters it knows (metadata {_CHARACTERS!r}).")
    return [*values[0].split("\n"), " "]
