"""A vision transformer for pictures of 28 x 28 (Dosovitskiy et al. 2021, arXiv:2010.11929) whose tokens come from three
convolutions, which learn faster than patches do (Xiao et al. 2021, arXiv:2106.14881). Its features are the mean of
its tokens.
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
from edgekit.models.fashion.shapes import DEPTH, FEED, HEADS, LABELS, STEM, TOKENS, WIDTH

#: Mean and deviation of the grey values of the training pictures, of 1.
_MEAN, _DEVIATION = 0.286, 0.353


class _Layer(nn.Module):
    """Attention and the layer between, each on normalised tokens and added to what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = nn.Linear(WIDTH, FEED), nn.Linear(FEED, WIDTH)
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.before(x)
        query, key, value = (self._split(layer(seen)) for layer in (self.query, self.key, self.value))
        scores = (query * (WIDTH // HEADS) ** -0.5) @ key.transpose(2, 3)
        x = x + self.out((scores.softmax(3) @ value).transpose(1, 2).flatten(2))
        fed: Tensor = x + self.narrow(F.gelu(self.wide(self.between(x))))
        return fed

    def _split(self, x: Tensor) -> Tensor:
        """[N, tokens, width] -> [N, heads, tokens, width / heads]."""
        return x.reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2)


class Trunk(nn.Module):
    """Grey values of 0 to 1, float32 [N, 1, 28, 28] -> features float32 [N, `WIDTH`].

    Args:
        norms: whether a normalisation follows each convolution, as in training; later it is a part of them.
    """

    def __init__(self, *, norms: bool = False) -> None:
        super().__init__()
        sizes = ((1, STEM, 2), (STEM, WIDTH, 2), (WIDTH, WIDTH, 1))
        self.stem = nn.ModuleList(nn.Conv2d(before, after, 3, stride, 1) for before, after, stride in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) if norms else nn.Identity() for _, after, _ in sizes)
        self.places = nn.Parameter(torch.zeros(TOKENS, WIDTH))
        self.layers = nn.ModuleList(_Layer() for _ in range(DEPTH))
        self.last = nn.LayerNorm(WIDTH)

    def forward(self, grey: Tensor) -> Tensor:
        x = (grey - _MEAN) / _DEVIATION
        for convolution, norm in zip(self.stem, self.norms, strict=True):
            x = F.relu(norm(convolution(x)))
        x = x.flatten(2).transpose(1, 2) + self.places
        for layer in self.layers:
            x = layer(x)
        mean: Tensor = self.last(x).mean(1)
        return mean


class Classifier(nn.Module):
    """``pixels`` uint8 [1, 28, 28, 3] -> ``logits`` float32 [1, 10], by the mean of the three colours."""

    def __init__(self, *, norms: bool = False) -> None:
        super().__init__()
        self.trunk, self.head = Trunk(norms=norms), nn.Linear(WIDTH, len(LABELS))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.logits(pixels.to(torch.float32).mean(3)[:, None] / 255.0)

    def logits(self, grey: Tensor) -> Tensor:
        """Of grey values of 0 to 1, float32 [N, 1, 28, 28]."""
        made: Tensor = self.head(self.trunk(grey))
        return made


class Features(nn.Module):
    """``picture`` float32 [1, 1, 28, 28], -1 black and 1 white -> ``features`` float32 [1, `WIDTH`]."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, picture: Tensor) -> Tensor:
        made: Tensor = self.trunk(picture.clamp(-1.0, 1.0) * 0.5 + 0.5)
        return made


def fuse_norms(network: Classifier) -> Classifier:
    """A trained network whose normalisations have become parts of the convolutions before them."""
    plain, trunk = Classifier().eval(), network.eval().trunk
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if ".norms." not in name})
    for at, (convolution, norm) in enumerate(zip(trunk.stem, trunk.norms, strict=True)):
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        plain.trunk.stem[at] = fuse_conv_bn_eval(convolution, norm)
    return plain


def classifier(tensors: Mapping[str, NDArray[Any]]) -> Classifier:
    """The network with its weights.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(Classifier(), tensors, "vit-fashion's", hint="`make train` makes them again.")


def features(tensors: Mapping[str, NDArray[Any]]) -> Features:
    """The network without its classifier. Raises BadInput as `classifier`."""
    return Features(classifier(tensors).trunk).eval()
