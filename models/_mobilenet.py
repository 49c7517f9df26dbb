"""MobileNet v2 and v3-small as torch modules: a camera's bytes in, logits of ImageNet's classes out.

Sandler et al. 2018 (arXiv:1801.04381) and Howard et al. 2019 (arXiv:1905.02244): blocks that expand, filter every
channel by itself and project; the third version weighs channels by what it sees (squeeze and excite), with hard-swish.
What the weights are called, and how they are checked: `_mobilenet_weights`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

#: ImageNet's mean and deviation of each channel, in steps of a byte.
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CLASSES = 1000


@dataclass(frozen=True)
class BlockShape:
    """Channels in, inside and out; side of the kernel; stride; channels of its squeeze (0: none); its activation."""

    inputs: int
    wide: int
    outputs: int
    kernel: int
    stride: int
    squeeze: int
    activation: type[nn.Module]


@dataclass(frozen=True)
class Shape:
    """A whole network.

    Attributes:
        stages: the blocks, in the groups that timm counts. stem, head: channels after the first layer and before the
            mean. hidden: of the layer between the mean and the classifier, 0 where there is none.
        activation: of the stem and the head.
    """

    stages: tuple[tuple[BlockShape, ...], ...]
    stem: int
    head: int
    hidden: int
    activation: type[nn.Module]


def _v2() -> Shape:
    stages, width = [], 32
    for expansion, outputs, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        stage = []
        for i in range(count):
            stage.append(BlockShape(width, width * expansion, outputs, 3, stride if i == 0 else 1, 0, nn.ReLU6))
            width = outputs
        stages.append(tuple(stage))
    return Shape(tuple(stages), 32, 1280, 0, nn.ReLU6)


def _v3_small() -> Shape:
    relu, swish = nn.ReLU, nn.Hardswish
    stages = (
        (BlockShape(16, 16, 16, 3, 2, 8, relu),),
        (BlockShape(16, 72, 24, 3, 2, 0, relu), BlockShape(24, 88, 24, 3, 1, 0, relu)),
        (BlockShape(24, 96, 40, 5, 2, 24, swish), *[BlockShape(40, 240, 40, 5, 1, 64, swish)] * 2),
        (BlockShape(40, 120, 48, 5, 1, 32, swish), BlockShape(48, 144, 48, 5, 1, 40, swish)),
        (BlockShape(48, 288, 96, 5, 2, 72, swish), *[BlockShape(96, 576, 96, 5, 1, 144, swish)] * 2),
    )
    return Shape(stages, 16, 576, 1024, swish)


V2, V3_SMALL = _v2(), _v3_small()


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
        wide, act = shape.wide, shape.activation
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
        self.stem = ConvNorm(3, shape.stem, epsilon, shape.activation, 3, 2)
        self.blocks = nn.Sequential(*(Block(block, epsilon) for stage in shape.stages for block in stage))
        self.head = ConvNorm(shape.stages[-1][-1].outputs, shape.head, epsilon, shape.activation)
        self.hidden = nn.Sequential(nn.Linear(shape.head, shape.hidden), nn.Hardswish()) if shape.hidden else None
        self.classifier = nn.Linear(shape.hidden or shape.head, CLASSES)
        # The channels' own steps: a convolution that took them in would pad with the wrong values.
        self.register_buffer("scale", 1 / torch.tensor(DEVIATION), persistent=False)
        self.register_buffer("shift", torch.tensor(MEAN) / torch.tensor(DEVIATION), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.float() * self.scale - self.shift).permute(0, 3, 1, 2)
        x = self.head(self.blocks(self.stem(x))).mean((2, 3))
        out: torch.Tensor = self.classifier(self.hidden(x) if self.hidden is not None else x)
        return out
