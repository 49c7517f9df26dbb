"""From phonemes to their durations and to the latent frames' means: VITS's text encoder and its stochastic durations.

Kim, Kong and Son 2021, arXiv:2106.06103, sections 2.2 and 2.5; attention that knows distances: Shaw et al. 2018,
arXiv:1803.02155. Modules bear the names of the original's, so that its weights load as they are.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.models.vits.shapes import BINS, DURATION_FLOWS, STACK, TAPS, Shape
from edgekit.models.vits.spline import inverse_spline


class Norm(nn.Module):
    """Layer normalisation over the channels of [1, channels, n]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        normed = F.layer_norm(x.transpose(1, 2), (x.shape[1],), self.gamma, self.beta, 1e-5)
        return normed.transpose(1, 2)


class Attention(nn.Module):
    """Self-attention in which near positions have vectors of their own, for keys and for values."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        c = shape.hidden
        self._heads, self._near = shape.heads, shape.window
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (nn.Conv1d(c, c, 1) for _ in range(4))
        distances = 2 * shape.window + 1
        self.emb_rel_k, self.emb_rel_v = (nn.Parameter(torch.zeros(1, distances, c // shape.heads)) for _ in range(2))

    def forward(self, x: Tensor, barred: Tensor) -> Tensor:
        q, k, v = (self._split(conv(x)) for conv in (self.conv_q, self.conv_k, self.conv_v))
        q = q / math.sqrt(q.shape[-1])
        scores = q @ k.transpose(1, 2) + _relative_to_absolute(q @ self.emb_rel_k.transpose(1, 2), self._near)
        odds = torch.softmax(scores + barred, dim=-1)
        y = odds @ v + _diagonals(odds, self._near) @ self.emb_rel_v
        out: Tensor = self.conv_o(y.transpose(1, 2).reshape(x.shape))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """[1, channels, n] -> [heads, n, channels of a head]."""
        return x.reshape(self._heads, x.shape[1] // self._heads, x.shape[2]).transpose(1, 2)


def _relative_to_absolute(scores: Tensor, near: int) -> Tensor:
    """[heads, n, 2 near + 1], a column a distance -> [heads, n, n], zeros where positions are farther apart.

    Rows that are padded to n + 2 near + 1 and read again with a column fewer move to the right, by one a row.
    """
    heads, n, distances = scores.shape
    padded = torch.cat([scores, scores.new_zeros(1, 1, 1).expand(heads, n, n)], 2)
    flat = padded.reshape(heads, n * (n + distances))[:, : n * (n + distances - 1)]
    return flat.reshape(heads, n, n + distances - 1)[:, :, near : near + n]


def _diagonals(odds: Tensor, near: int) -> Tensor:
    """The inverse of `_relative_to_absolute`: [heads, n, n] -> [heads, n, 2 near + 1]."""
    heads, n, _ = odds.shape
    side = odds.new_zeros(1, 1, 1).expand(heads, n, near)
    flat = torch.cat([side, odds, side], 2).reshape(heads, n * (n + 2 * near))
    flat = torch.cat([flat, odds.new_zeros(1, 1).expand(heads, n)], 1)
    return flat.reshape(heads, n, n + 2 * near + 1)[:, :, : 2 * near + 1]


class FeedForward(nn.Module):
    """Two convolutions over neighbours."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(shape.hidden, shape.inner, shape.taps, padding=shape.taps // 2)
        self.conv_2 = nn.Conv1d(shape.inner, shape.hidden, shape.taps, padding=shape.taps // 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        out: Tensor = self.conv_2(torch.relu(self.conv_1(x * mask)) * mask) * mask
        return out


class Encoder(nn.Module):
    """Layers of attention and convolution."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers = range(shape.layers)
        self.attn_layers = nn.ModuleList([Attention(shape) for _ in layers])
        self.norm_layers_1 = nn.ModuleList([Norm(shape.hidden) for _ in layers])
        self.ffn_layers = nn.ModuleList([FeedForward(shape) for _ in layers])
        self.norm_layers_2 = nn.ModuleList([Norm(shape.hidden) for _ in layers])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        barred = (mask - 1.0) * 1e4
        x = x * mask
        for layers in zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True):
            attention, first, feed, second = layers
            x = first(x + attention(x, barred))
            x = second(x + feed(x, mask))
        return x * mask


class Separable(nn.Module):
    """Dilated separable convolutions, each added to what came before."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        stack = range(STACK)
        self.convs_sep = nn.ModuleList(
            [
                nn.Conv1d(channels, channels, TAPS, groups=channels, dilation=TAPS**i, padding=TAPS**i * (TAPS // 2))
                for i in stack
            ]
        )
        self.convs_1x1 = nn.ModuleList([nn.Conv1d(channels, channels, 1) for _ in stack])
        self.norms_1 = nn.ModuleList([Norm(channels) for _ in stack])
        self.norms_2 = nn.ModuleList([Norm(channels) for _ in stack])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for layers in zip(self.convs_sep, self.norms_1, self.convs_1x1, self.norms_2, strict=True):
            wide, first, across, second = layers
            y = F.gelu(first(wide(x * mask)))
            x = x + F.gelu(second(across(y)))
        return x * mask


class SplineFlow(nn.Module):
    """A flow that bends one of two channels by a spline that the other and the text decide, in reverse."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pre, self.convs = nn.Conv1d(1, channels, 1), Separable(channels)
        self.proj, self._root = nn.Conv1d(channels, 3 * BINS - 1, 1), math.sqrt(channels)

    def forward(self, kept: Tensor, bent: Tensor, mask: Tensor, text: Tensor) -> Tensor:
        rules = (self.proj(self.convs(self.pre(kept) + text, mask)) * mask)[0].transpose(0, 1)
        widths, heights, slopes = rules.split([BINS, BINS, BINS - 1], 1)
        made = inverse_spline(bent.reshape(-1, 1), widths / self._root, heights / self._root, slopes)
        return made.reshape(bent.shape) * mask


class Affine(nn.Module):
    """The first flow of the durations, in reverse; `scale` is exp(-logs), as it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.m, self.scale = nn.Parameter(torch.zeros(2, 1)), nn.Parameter(torch.ones(2, 1))

    def forward(self, first: Tensor) -> Tensor:
        """Of the first of the two channels, [1, 1, n]; the other is of no use."""
        return (first - self.m[0]) * self.scale[0]


class Durations(nn.Module):
    """The logarithm of each phoneme's frames from noise: a flow in reverse."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pre, self.convs = nn.Conv1d(channels, channels, 1), Separable(channels)
        self.proj = nn.Conv1d(channels, channels, 1)
        self.flows = nn.ModuleDict({"0": Affine(), **{str(number): SplineFlow(channels) for number in DURATION_FLOWS}})

    def forward(self, x: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
        text = self.proj(self.convs(self.pre(x), mask)) * mask
        first, second = noise[:, :1], noise[:, 1:]
        for number in reversed(DURATION_FLOWS):
            first, second = second, first
            second = self.flows[str(number)](first, second, mask, text)
            first = first * mask
        out: Tensor = self.flows["0"](second) * mask
        return out


class Embedded(nn.Module):
    """The text encoder proper: what the original calls enc_p."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.emb = nn.Embedding(shape.symbols, shape.hidden)
        self.encoder, self.proj = Encoder(shape), nn.Conv1d(shape.hidden, 2 * shape.hidden, 1)

    def forward(self, phonemes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.emb(phonemes) * math.sqrt(self.emb.embedding_dim)
        x = self.encoder(x.transpose(1, 2), mask)
        means, logarithms = (self.proj(x) * mask).chunk(2, 1)
        return x, means, torch.exp(logarithms)


class TextEncoder(nn.Module):
    """``phonemes`` int64 [1, n], ``mask`` float32 [1, n] (0 behind the end) and ``noise`` float32 [1, 2, n] ->
    ``durations`` float32 [1, n] in latent frames (not yet whole), ``means`` and ``deviations`` [1, hidden, n]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.enc_p, self.dp = Embedded(shape), Durations(shape.hidden)

    def forward(self, phonemes: Tensor, mask: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        valid = mask[:, None]
        x, means, deviations = self.enc_p(phonemes, valid)
        logarithms = self.dp(x, valid, noise * valid)
        return (torch.exp(logarithms) * valid)[:, 0], means, deviations
