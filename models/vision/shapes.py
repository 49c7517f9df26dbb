"""Shapes of the vision networks, without torch: what the modules are built of and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.numerics.layers import Layer, convolution, linear

#: Side of the pictures of ImageNet's networks, and of the visual wake words'.
_SIDE, _V1_SIDE = 224, 96
#: MobileNet v1 at a quarter of its width: channels of the first layer; channels and stride of each pair of layers.
V1_STEM = 8
V1_PAIRS = (
    (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1), (256, 2),
    (256, 1),
)  # fmt: skip


@dataclass(frozen=True)
class BlockShape:
    """Channels in, inside and out; side of the kernel; stride; channels of its squeeze (0: none); its activation."""

    inputs: int
    wide: int
    outputs: int
    kernel: int
    stride: int
    squeeze: int
    activation: str


@dataclass(frozen=True)
class Shape:
    """A whole network of blocks that expand, filter and project.

    Attributes:
        stages: the blocks, in the groups that timm counts. stem, head: channels after the first layer and before the
            mean. hidden: of the layer between the mean and the classifier, 0 where there is none.
        activation: of the stem and the head: ``"relu"``, ``"relu6"`` or ``"hardswish"``.
    """

    stages: tuple[tuple[BlockShape, ...], ...]
    stem: int
    head: int
    hidden: int
    activation: str
    classes: int = 1000

    def layers(self) -> tuple[Layer, ...]:
        """Every product, from the picture to the logits."""
        side = _SIDE // 2
        layers = [convolution(3, self.stem, 9, side * side, before=_SIDE * _SIDE)]
        for block in (block for stage in self.stages for block in stage):
            inside, side = side * side, -(-side // block.stride)
            area = side * side
            if block.wide != block.inputs:
                layers.append(convolution(block.inputs, block.wide, 1, inside))
            layers.append(convolution(block.wide, block.wide, block.kernel**2, area, groups=block.wide, before=inside))
            if block.squeeze:
                layers += [linear(block.wide, block.squeeze), linear(block.squeeze, block.wide)]
            layers.append(convolution(block.wide, block.outputs, 1, area))
        layers.append(convolution(self.stages[-1][-1].outputs, self.head, 1, side * side))
        layers += [linear(self.head, self.hidden)] if self.hidden else []
        return (*layers, linear(self.hidden or self.head, self.classes))


def _stages(stem: int, rows: tuple[tuple[int, int, int, int, int], ...]) -> tuple[tuple[BlockShape, ...], ...]:
    """Of (expansion, channels, blocks, kernel, stride of the first) a stage."""
    stages, width = [], stem
    for expansion, outputs, count, kernel, stride in rows:
        stage = []
        for i in range(count):
            stage.append(BlockShape(width, width * expansion, outputs, kernel, stride if i == 0 else 1, 0, "relu6"))
            width = outputs
        stages.append(tuple(stage))
    return tuple(stages)


def _v3_small() -> Shape:
    relu, swish = "relu", "hardswish"
    stages = (
        (BlockShape(16, 16, 16, 3, 2, 8, relu),),
        (BlockShape(16, 72, 24, 3, 2, 0, relu), BlockShape(24, 88, 24, 3, 1, 0, relu)),
        (BlockShape(24, 96, 40, 5, 2, 24, swish), *[BlockShape(40, 240, 40, 5, 1, 64, swish)] * 2),
        (BlockShape(40, 120, 48, 5, 1, 32, swish), BlockShape(48, 144, 48, 5, 1, 40, swish)),
        (BlockShape(48, 288, 96, 5, 2, 72, swish), *[BlockShape(96, 576, 96, 5, 1, 144, swish)] * 2),
    )
    return Shape(stages, 16, 576, 1024, swish)


EFFICIENTNET = Shape(
    _stages(32, (
        (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2),
        (6, 320, 1, 3, 1),
    )), 32, 1280, 0, "relu6",
)  # fmt: skip
V2 = Shape(
    _stages(32, (
        (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 32, 3, 3, 2), (6, 64, 4, 3, 2), (6, 96, 3, 3, 1), (6, 160, 3, 3, 2),
        (6, 320, 1, 3, 1),
    )), 32, 1280, 0, "relu6",
)  # fmt: skip
V3_SMALL = _v3_small()


def v1_layers(classes: int) -> tuple[Layer, ...]:
    """Every product of the quarter MobileNet v1 on 96 x 96 pixels."""
    side, width = _V1_SIDE // 2, V1_STEM
    layers = [convolution(3, width, 9, side * side, before=_V1_SIDE**2)]
    for outputs, stride in V1_PAIRS:
        before, side = side * side, -(-side // stride)
        layers.append(convolution(width, width, 9, side * side, groups=width, before=before))
        layers.append(convolution(width, outputs, 1, side * side))
        width = outputs
    return (*layers, linear(width, classes))
