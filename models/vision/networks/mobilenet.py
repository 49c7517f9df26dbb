"""MobileNet v2 and v3-small as torch modules: a camera's bytes in, logits of ImageNet's classes out.

Sandler et al. 2018 (arXiv:1801.04381) and Howard et al. 2019 (arXiv:1905.02244): blocks that expand, filter every
channel by itself and project; the third version weighs channels by what it sees (squeeze and excite), with hard-swish.
What the weights are called, and how they are checked: `mobilenet_weights`.
"""

from __future__ import annotations

import torch
from torch import nn

from edgekit.models.vision.shapes import BlockShape, Shape

#: ImageNet's mean and deviation of each channel, in steps of a byte.
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.Hardswish}


class ConvNorm(nn.Module):
    """Convolution with zeros around, batch normalization, and an activation where it is not linear."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        epsilon: float,
        activation: type[nn.Module] = nn.Identity,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=epsilon)
        self.activation = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.activation(self.norm(self.conv(x)))
        return out


class Excite(nn.Module):
    """A weight between 0 and 1 for every channel, from the means of all of them."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * nn.functional.hardsigmoid(weights)


class Block(nn.Module):
    """Expand, filter, weigh, project; the input is added where the shape stays."""

    def __init__(self, shape: BlockShape, epsilon: float) -> None:
        super().__init__()
        wide, act = shape.wide, _ACTIVATIONS[shape.activation]
        self.expand = ConvNorm(shape.inputs, wide, epsilon, act) if wide != shape.inputs else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, epsilon, act, shape.kernel, shape.stride, groups=wide)
        self.excite = Excite(wide, shape.squeeze) if shape.squeeze else nn.Identity()
        self.project = ConvNorm(wide, shape.outputs, epsilon)
        self._adds = shape.stride == 1 and shape.inputs == shape.outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + out if self._adds else out


class MobileNet(nn.Module):
    """uint8 RGB pixels [1, height, width, 3] -> logits float32 [1, classes]."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, shape: Shape, epsilon: float) -> None:
        super().__init__()
        act = _ACTIVATIONS[shape.activation]
        self.stem = ConvNorm(3, shape.stem, epsilon, act, 3, 2)
        self.blocks = nn.Sequential(*(Block(block, epsilon) for stage in shape.stages for block in stage))
        self.head = ConvNorm(shape.stages[-1][-1].outputs, shape.head, epsilon, act)
        self.hidden = nn.Sequential(nn.Linear(shape.head, shape.hidden), nn.Hardswish()) if shape.hidden else None
        self.classifier = nn.Linear(shape.hidden or shape.head, shape.classes)
        # The channels' own steps: a convolution that took them in would pad with the wrong values.
        self.register_buffer("scale", 1 / torch.tensor(DEVIATION), persistent=False)
        self.register_buffer("shift", torch.tensor(MEAN) / torch.tensor(DEVIATION), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.float() * self.scale - self.shift).permute(0, 3, 1, 2)
        x = self.head(self.blocks(self.stem(x))).mean((2, 3))
        out: torch.Tensor = self.classifier(self.hidden(x) if self.hidden is not None else x)
        return out
