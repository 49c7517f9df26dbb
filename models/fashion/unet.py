"""A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) that denoises pictures of 28 x 28 (Ho et al. 2020,
arXiv:2006.11239). It answers with the velocity of Salimans and Ho 2022 (arXiv:2202.00512), by which a few steps are
enough (Song et al. 2021, arXiv:2010.02502).

A noisy picture is cos(angle) x picture + sin(angle) x noise; its velocity is cos(angle) x noise - sin(angle) x picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgekit.common.lazy import NDArray
from edgekit.models.common.filling import load_tensors
from edgekit.models.fashion.shapes import ANGLES, BLOCKS, TOPS, UNET


class _Block(nn.Module):
    """Two convolutions that know the angle, added to what they read.

    Args:
        norms: whether a normalisation follows each convolution, as in training; later it is a part of them.
    """

    def __init__(self, width: int, norms: bool) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.angle = nn.Linear(TOPS, width)
        self.between, self.after = (nn.BatchNorm2d(width) if norms else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        inside = self.between(self.first(x)) + self.angle(angle)[:, :, None, None]
        return F.relu(x + self.after(self.second(F.relu(inside))))


class Unet(nn.Module):
    """``noisy`` float32 [1, 1, 28, 28] and ``angle`` float32 [1], from pi / 2 (noise alone) to 0 -> ``velocity``."""

    def __init__(self, *, norms: bool = False) -> None:
        super().__init__()
        wide, deep = UNET
        self.angles = nn.Linear(ANGLES, TOPS)
        self.stem = nn.Conv2d(1, wide, 4, 2, 1)
        self.down = nn.ModuleList(_Block(wide, norms) for _ in range(BLOCKS[0]))
        self.narrow = nn.Conv2d(wide, deep, 3, 2, 1)
        self.middle = nn.ModuleList(_Block(deep, norms) for _ in range(BLOCKS[1]))
        self.widen = nn.Conv2d(deep, 4 * wide, 1)
        self.merge = nn.Conv2d(2 * wide, wide, 3, padding=1)
        self.up = nn.ModuleList(_Block(wide, norms) for _ in range(BLOCKS[2]))
        self.last = nn.Conv2d(wide, 4, 3, padding=1)

    def forward(self, noisy: Tensor, angle: Tensor) -> Tensor:
        turns = angle[:, None] * torch.arange(1.0, ANGLES // 2 + 1)
        told = F.relu(self.angles(torch.cat((torch.sin(turns), torch.cos(turns)), 1)))
        x = F.relu(self.stem(noisy))
        for block in self.down:
            x = block(x, told)
        beside, x = x, F.relu(self.narrow(x))
        for block in self.middle:
            x = block(x, told)
        x = F.relu(self.merge(torch.cat((beside, F.pixel_shuffle(self.widen(x), 2)), 1)))
        for block in self.up:
            x = block(x, told)
        return F.pixel_shuffle(self.last(x), 2)


def fuse_norms(network: Unet) -> Unet:
    """A trained network whose normalisations have become parts of the convolutions before them."""
    plain, blocks = Unet(), {name: part for name, part in network.eval().named_modules() if isinstance(part, _Block)}
    norms = {"between", "after"}
    state = {name: value for name, value in network.state_dict().items() if not norms & set(name.split("."))}
    plain.load_state_dict(state)
    for name, part in plain.eval().named_modules():
        if isinstance(part, _Block):
            trained = blocks[name]
            assert isinstance(trained.between, nn.BatchNorm2d) and isinstance(trained.after, nn.BatchNorm2d)
            part.first = fuse_conv_bn_eval(trained.first, trained.between)
            part.second = fuse_conv_bn_eval(trained.second, trained.after)
    return plain


def unet(tensors: Mapping[str, NDArray[Any]]) -> Unet:
    """The network with its weights.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(Unet(), tensors, "ddpm-fashion's", hint="`make train` makes them again.")
