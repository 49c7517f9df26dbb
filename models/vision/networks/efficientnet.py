"""EfficientNet-Lite0 as a torch module: the graph that is exported, from a camera's bytes to logits.

Tan and Le 2019 (arXiv:1905.11946); the Lite variant is without squeeze-and-excite and with ReLU6, which quantizes well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import NDArray
from edgekit.errors import BadInput
from edgekit.models.common.padding import pad_same
from edgekit.models.vision.shapes import EFFICIENTNET, BlockShape

#: Pixels are (value - MEAN) / DEVIATION.
MEAN, DEVIATION = 127, 128
_EPSILON = 1e-3


class ConvNorm(nn.Module):
    """Convolution, batch normalization, and ReLU6 where it is not linear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self._kernel, self._stride, self._linear = kernel, stride, linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(pad_same(x, self._kernel, self._stride)))
        return x if self._linear else F.relu6(x)


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project; the input is added where the shape stays."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        wide = shape.wide
        self.expand = ConvNorm(shape.inputs, wide) if wide != shape.inputs else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, shape.kernel, shape.stride, groups=wide)
        self.project = ConvNorm(wide, shape.outputs, linear=True)
        self._adds = shape.stride == 1 and shape.inputs == shape.outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self._adds else out


class Lite0(nn.Module):
    """uint8 RGB pixels [1, height, width, 3] -> logits float32 [1, classes].

    Not probabilities: where a picture is ambiguous, a harmless change of the logits halves a probability, so that they
    are no measure of how well a network was copied.
    """

    def __init__(self) -> None:
        super().__init__()
        shape = EFFICIENTNET
        self.stem = ConvNorm(3, shape.stem, 3, 2)
        self.blocks = nn.Sequential(*(Block(block) for stage in shape.stages for block in stage))
        self.head = ConvNorm(shape.stages[-1][-1].outputs, shape.head)
        self.classifier = nn.Linear(shape.head, shape.classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = ((pixels.float() - MEAN) / DEVIATION).permute(0, 3, 1, 2)
        out: torch.Tensor = self.classifier(self.head(self.blocks(self.stem(x))).mean((2, 3)))
        return out


def network(tensors: Mapping[str, NDArray[Any]]) -> Lite0:
    """The network with the weights of `tensors`, whose order is the network's own, whatever their names.

    So it is in every PyTorch form of this network (lukemelas's names and timm's); each shape is compared.

    Raises:
        BadInput: another number of tensors, or a tensor of another shape.
    """
    module = Lite0()
    wanted = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    stored = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    if len(wanted) != len(stored):
        raise BadInput(f"the weights have {len(stored)} tensors; efficientnet-lite0 has {len(wanted)}.")
    state = {}
    for (name, value), (label, array) in zip(wanted.items(), stored.items(), strict=True):
        if tuple(array.shape) != tuple(value.shape):
            raise BadInput(
                f"the weights {label!r} are {list(array.shape)}, but efficientnet-lite0 has {list(value.shape)} there."
            )
        state[name] = torch.from_numpy(array.astype("float32"))  # a copy: the file may be mapped and read-only
    module.load_state_dict(state, strict=False)
    return module.eval()
