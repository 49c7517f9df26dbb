"""TensorFlow's "same" padding for torch: with stride 2, one more row and column at the end than at the start."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def pad_same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """[.., height, width] with as many zeros around as give ceil(size / stride) outputs a side."""
    around = [pair for size in (x.shape[-1], x.shape[-2]) for pair in amounts(int(size), kernel, stride)]
    return F.pad(x, around) if any(around) else x


def amounts(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows before and after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
