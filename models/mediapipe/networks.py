"""MediaPipe's networks as torch modules from a camera's bytes: pixels are normalised and anchors decoded inside.

Decoding: mediapipe/calculators/tensor/tensors_to_detections_calculator.cc; anchors: ssd_anchors_calculator.cc, with one
size of anchor and a centre in the middle of each cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats import tflite
from edgekit.formats.tflite.translation import Translated, translate_graph


def read(
    checkpoint: Checkpoint, name: str, inputs: tuple[int, ...], outputs: tuple[tuple[int, ...], ...]
) -> Translated:
    """The network in the file `name` of a checkpoint.

    Args:
        inputs, outputs: the shapes that its input and its outputs must have.

    Raises:
        BadInput: it is another network, or no .tflite. Unsupported: an operator that is not translated.
    """
    hint = f"Give MediaPipe's {name}, or leave --weights out."
    if checkpoint.format == "tflite":
        content = checkpoint.path.read_bytes()
    elif checkpoint.format == "tflites" and name in checkpoint.files:
        content = (checkpoint.path / name).read_bytes()
    else:
        raise BadInput(f"the weights in {checkpoint.path.name} lack {name}.", hint=hint)
    graph = tflite.read(content)
    main = graph.subgraphs[0]
    shapes = [[main.tensors[at].shape for at in side] for side in (main.inputs, main.outputs)]
    if shapes != [[inputs], list(outputs)]:
        raise BadInput(f"the .tflite in place of {name} has inputs and outputs of other shapes: {shapes}.", hint=hint)
    return translate_graph(graph)


def anchors(size: int, grids: tuple[tuple[int, int], ...]) -> Tensor:
    """Centres (x, y) of the anchors as shares of the input, [anchors, 2].

    Args:
        size: of the input. grids: (stride, anchors in a cell) of each map, in order.
    """
    centres = []
    for stride, count in grids:
        steps = (torch.arange(size // stride, dtype=torch.float32) + 0.5) * (stride / size)
        down, across = torch.meshgrid(steps, steps, indexing="ij")
        centres.append(torch.stack([across, down], 2).reshape(-1, 1, 2).expand(-1, count, 2).reshape(-1, 2))
    return torch.cat(centres)


class AnchorDetector(nn.Module):
    """``pixels`` uint8 [1, size, size, 3] -> ``boxes`` float32 [1, N, 4] (left, top, right, bottom), ``logits`` float32
    [1, N, 1] and ``points`` float32 [1, N, 2 * K], all positions as shares of the input.

    Args:
        network: values [1, size, size, 3] -> [1, N, 4 + 2 * K] and logits [1, N, 1]. centres: of the anchors.
        signed: whether its values go from -1 to 1, else from 0.
    """

    centres: Tensor

    def __init__(self, network: nn.Module, size: int, centres: Tensor, *, signed: bool) -> None:
        super().__init__()
        self.network = network
        self._size, self._signed = float(size), signed
        self.register_buffer("centres", centres[None])

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw, logits = self.network(values_of(pixels, signed=self._signed))
        shares = raw / self._size
        middle, half = shares[:, :, :2] + self.centres, shares[:, :, 2:4] / 2
        boxes = torch.cat([middle - half, middle + half], 2)
        count = (int(raw.shape[2]) - 4) // 2
        points = shares[:, :, 4:].reshape(1, -1, count, 2) + self.centres[:, :, None]
        return boxes, logits, points.reshape(1, -1, 2 * count)


class Landmarks(nn.Module):
    """``crop`` uint8 [1, size, size, 3] -> ``places`` float32 [1, points, 2] (x, y as shares of the crop) and
    ``presence`` float32 [1, 1].

    Args:
        network: values from 0 to 1 -> numbers of each point, of which x and y are the first two, in pixels; and the
            probability that there is something. size: of the crop. points: that are kept, the first ones.
    """

    def __init__(self, network: nn.Module, size: int, points: int) -> None:
        super().__init__()
        self.network = network
        self._size, self._points = float(size), points

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor]:
        raw, presence = self.network(values_of(crop, signed=False))
        numbers = 5 if int(raw.shape[1]) % 5 == 0 else 3  # with visibility and presence of each, or without
        places = raw.reshape(1, -1, numbers)[:, : self._points, :2] / self._size
        return places, presence


class Values(nn.Module):
    """``pixels`` uint8 [1, height, width, 3] -> the first output of a network of values from -1 or 0 to 1."""

    def __init__(self, network: nn.Module, *, signed: bool) -> None:
        super().__init__()
        self.network, self._signed = network, signed

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.network(values_of(pixels, signed=self._signed))[0]
        return out


def values_of(pixels: Tensor, *, signed: bool) -> Tensor:
    """A camera's bytes as float32 from -1 or 0 to 1."""
    values = pixels.to(torch.float32)
    return values / 127.5 - 1.0 if signed else values / 255.0
