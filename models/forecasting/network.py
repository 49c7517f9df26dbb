"""Fracast-0 as a torch module: one block of a dilated convolution and a gated product, used for every scale of time.

Its periods and its seasonal fill are found before it (`edgekit.tasks.time_series_forecasting.periods`): they sort and
look up, which no format for phones does alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.models.common.filling import load_tensors
from edgekit.models.forecasting.shapes import (
    CONTEXT,
    FUTURE_STAGES,
    HORIZON,
    INNER,
    LEVELS,
    PERIODS,
    RECENCY,
    SEED,
    STAGES,
    WIDTH,
)

_EPSILON = float(np.finfo(np.float32).eps)


class RootMeanSquare(nn.Module):
    """Divides by the root mean square of the channels (Zhang and Sennrich 2019, arXiv:1910.07467)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + _EPSILON) * self.weight


class GatedProduct(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 2 * INNER), nn.Linear(INNER, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * value)
        return out


def _causal_depthwise_conv(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A filter for each channel over the steps before, [1, steps, channels]."""
    past = F.pad(x.transpose(1, 2), (2 * dilation, 0))
    return F.conv1d(past, weight, bias, dilation=dilation, groups=WIDTH).transpose(1, 2)


class Block(nn.Module):
    """A filter over the past and a gated product, for any dilation."""

    def __init__(self) -> None:
        super().__init__()
        self.dw_weight, self.dw_bias = nn.Parameter(torch.zeros(WIDTH, 1, 3)), nn.Parameter(torch.zeros(WIDTH))
        self.pw, self.ffn = nn.Linear(WIDTH, WIDTH), GatedProduct()
        self.norm1, self.norm2 = RootMeanSquare(), RootMeanSquare()

    def forward(self, x: Tensor, dilation: int) -> Tensor:
        x = self.norm1(x + self.pw(_causal_depthwise_conv(x, self.dw_weight, self.dw_bias, dilation)))
        out: Tensor = self.norm2(x + self.ffn(x))
        return out


class HorizonFilter(nn.Module):
    """A filter over the steps of the forecast."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dw_weight, self.dw_bias = nn.Parameter(torch.zeros(WIDTH, 1, 3)), nn.Parameter(torch.zeros(WIDTH))
        self.norm, self._dilation = RootMeanSquare(), dilation

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x + _causal_depthwise_conv(x, self.dw_weight, self.dw_bias, self._dilation))
        return out


class Fracast(nn.Module):
    """``features`` float32 [1, 2048, 10] (value, observed, phases) and ``fill`` float32 [1, 48] -> ``quantiles``
    float32 [1, 48, 9]."""

    past_distance: Tensor
    next_distance: Tensor
    scales: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.values, self.phases = nn.Linear(2 + RECENCY, WIDTH), nn.Linear(2 * PERIODS, WIDTH)
        self.block, self.scale, self.norm = Block(), nn.Linear(8, 2 * WIDTH), RootMeanSquare()
        self.summary = nn.Linear(2 * WIDTH + RECENCY, WIDTH)
        self.queries = nn.Parameter(torch.zeros(HORIZON, WIDTH))
        self.gated, self.gated_norm = GatedProduct(), RootMeanSquare()
        self.filters = nn.ModuleList([HorizonFilter(1), HorizonFilter(2)])
        self.future, self.future_block = nn.Linear(1 + RECENCY, WIDTH), Block()
        self.future_out, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, len(LEVELS))
        self.register_buffer("past_distance", _distance(0, CONTEXT)[None], persistent=False)
        self.register_buffer("next_distance", _distance(CONTEXT, HORIZON)[None], persistent=False)
        self.register_buffer("scales", torch.stack([_scale(stage) for stage in range(STAGES)]), persistent=False)

    def forward(self, features: Tensor, fill: Tensor) -> Tensor:
        x = self.values(torch.cat([features[:, :, :2], self.past_distance], 2)) + self.phases(features[:, :, 2:])
        for stage in range(STAGES):
            gain, shift = self.scale(self.scales[stage]).chunk(2)
            x = self.block(x * (1.0 + gain) + shift, 2**stage)
        hidden = self.norm(x)
        summary = torch.cat([hidden.mean(1), hidden[:, -1]], 1)[:, None].expand(-1, HORIZON, -1)
        y = self.summary(torch.cat([self.next_distance, summary], 2)) + self.queries
        y = self.gated_norm(y + self.gated(y))
        for block in self.filters:
            y = block(y)
        z = self.future(torch.cat([fill[:, :, None], self.next_distance], 2))
        z = torch.cat([hidden[:, -SEED:], z], 1)
        for stage in range(FUTURE_STAGES):
            z = self.future_block(z, 2**stage)
        out: Tensor = self.out(y + self.future_out(z[:, -HORIZON:]))
        return out


def _distance(start: int, steps: int) -> Tensor:
    """How far steps are from the last of the context, [steps, 5]: linear, logarithmic, three decays."""
    delta = (torch.arange(start, start + steps, dtype=torch.float32) - (CONTEXT - 1)) / CONTEXT
    far = delta.abs()
    logarithm = torch.sign(delta) * torch.log1p(far) / math.log(2.0)
    return torch.stack([delta, logarithm, torch.exp(-0.5 * far), torch.exp(-2.0 * far), torch.exp(-8.0 * far)], 1)


def _scale(stage: int) -> Tensor:
    angle = stage / torch.pow(2.0, torch.arange(4, dtype=torch.float32)) * math.pi
    return torch.cat([torch.sin(angle), torch.cos(angle)])


#: Module here -> its name in the package's file.
_NAMES = {
    "values": "core.in_proj",
    "phases": "core.periodic.proj",
    "block": "core.block",
    "scale": "core.scale.to_gb",
    "norm": "core.norm",
    "summary": "head.summary_proj",
    "queries": "head.queries",
    "gated": "head.decoder_ffns.0",
    "gated_norm": "head.decoder_norms.0",
    "filters": "head.fc_blocks",
    "future": "head.future_conv.in_proj",
    "future_block": "head.future_conv.block",
    "future_out": "head.future_conv.out_proj",
    "out": "head.out_proj",
}


def network(tensors: Mapping[str, NDArray[Any]]) -> Fracast:
    """The network with the weights of `tensors`, in the names of Fracast's safetensors.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(Fracast(), tensors, "Fracast-0's", _checkpoint_name)


def _checkpoint_name(name: str) -> str:
    first, dot, rest = name.partition(".")
    return _NAMES[first] + dot + rest
