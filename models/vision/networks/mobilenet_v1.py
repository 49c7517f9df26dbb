"""MobileNet v1 as MLPerf Tiny has it, as a torch module: a camera's bytes in, probabilities out.

Howard et al. 2017 (arXiv:1704.04861): each layer filters every channel by itself, then mixes them. The weights come
from the published float .tflite, in which batch normalization is already part of the convolutions.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats import tflite
from edgekit.models.common.padding import pad_same
from edgekit.models.vision.shapes import V1_PAIRS, V1_STEM

CLASSES = 2
#: Pixels are value / WHITE.
WHITE = 255


class Convolution(nn.Module):
    """A convolution with TensorFlow's padding, and a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.conv(pad_same(x, self.conv.kernel_size[0], self.conv.stride[0])))


class Network(nn.Module):
    """uint8 RGB pixels [1, height, width, 3] -> probabilities float32 [1, classes].

    Not logits: both of only two are near zero where a picture is ambiguous, and any change of them is then large.
    """

    def __init__(self) -> None:
        super().__init__()
        layers, width = [Convolution(3, V1_STEM, 3, 2)], V1_STEM
        for outputs, stride in V1_PAIRS:
            layers += [Convolution(width, width, 3, stride, groups=width), Convolution(width, outputs, 1, 1)]
            width = outputs
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.float() / WHITE).permute(0, 3, 1, 2)
        return F.softmax(self.classifier(self.layers(x).mean((2, 3))), dim=-1)


def network(checkpoint: Checkpoint) -> Network:
    """The network with the weights of a float .tflite, layer by layer in the order in which it computes.

    Raises:
        BadInput: not a .tflite, or another network: other layers, shapes or dtypes.
    """
    if checkpoint.format != "tflite":
        raise BadInput(
            f"mobilenet-v1-025-vww takes the weights of a float .tflite, not {checkpoint.format}.",
            hint="Without --weights, the published ones are taken.",
        )
    main = tflite.read(checkpoint.path.read_bytes()).subgraphs[0]
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    operators = [operator for operator in main.operators if operator.name in kinds]
    module = Network()
    wanted = [layer.conv for layer in module.layers if isinstance(layer, Convolution)] + [module.classifier]
    if len(operators) != len(wanted):
        raise BadInput(f"the .tflite has {len(operators)} layers with weights; mobilenet-v1-025-vww has {len(wanted)}.")
    for number, (layer, operator) in enumerate(zip(wanted, operators, strict=True)):
        tensors = [main.tensors[i].data for i in operator.inputs[1:3] if i >= 0]
        if len(tensors) != 2 or any(tensor is None or tensor.dtype != "float32" for tensor in tensors):
            raise BadInput(f"layer {number} of the .tflite ({operator.name}) holds no float weights and bias.")
        _fill(layer, operator.name, tensors, number)
    return module.eval()


def _fill(layer: Any, kind: str, tensors: list[Any], number: int) -> None:
    weights, bias = (torch.from_numpy(tensor.copy()) for tensor in tensors)
    # TensorFlow's convolutions are [outputs, height, width, inputs], those by channel [1, height, width, channels].
    order = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}.get(kind, (0, 1))
    weights = weights.permute(order) if weights.ndim == len(order) else weights
    if weights.shape != layer.weight.shape or bias.shape != layer.bias.shape:
        raise BadInput(
            f"layer {number} of the .tflite ({kind}) has weights {list(weights.shape)} and a bias {list(bias.shape)}; "
            f"mobilenet-v1-025-vww has {list(layer.weight.shape)} and {list(layer.bias.shape)} there."
        )
    layer.weight, layer.bias = nn.Parameter(weights.contiguous()), nn.Parameter(bias)
