"""Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032), in reverse, without branches or
indices: every format for phones has what is used here."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: The spline lies in [-5, 5]; outside it is the identity.
BOUND = 5.0
#: Least width and height of a bin as a share of all, and least slope.
_LEAST = 1e-3


def inverse_spline(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor) -> Tensor:
    """x such that the spline of x is `y`.

    Args:
        y: float32 [n, 1]. widths, heights: [n, bins], before their softmax. slopes: [n, bins - 1] at the knots inside,
            before their softplus; at the ends the slope is 1.

    Returns:
        float32 [n, 1].
    """
    left, wide = _bins(widths)
    low, high = _bins(heights)
    inside = _LEAST + F.softplus(slopes)
    end = torch.ones_like(inside[:, :1])
    before, after = torch.cat([end, inside], 1), torch.cat([inside, end], 1)
    held = y.clamp(-BOUND, BOUND)
    # 1 for the bin that y lies in: the last one that begins below it.
    begun = (held >= low).to(y.dtype)
    chosen = begun - torch.cat([begun[:, 1:], torch.zeros_like(begun[:, :1])], 1)
    x0, w, y0, h, d0, d1 = ((values * chosen).sum(1, True) for values in (left, wide, low, high, before, after))
    steep, rest = h / w, held - y0
    bend = d0 + d1 - 2.0 * steep
    a, b, c = rest * bend + h * (steep - d0), h * d0 - rest * bend, -steep * rest
    root = 2.0 * c / (-b - torch.sqrt((b * b - 4.0 * a * c).clamp(min=0.0)))
    return torch.where(y.abs() <= BOUND, root * w + x0, y)


def _bins(shares: Tensor) -> tuple[Tensor, Tensor]:
    """Begin and size of each bin, [n, bins]."""
    count = shares.shape[1]
    sizes = _LEAST + (1.0 - _LEAST * count) * torch.softmax(shares, 1)
    ends = (2.0 * BOUND) * torch.cumsum(sizes, 1) - BOUND
    edge = torch.full_like(ends[:, :1], BOUND)
    begins = torch.cat([-edge, ends[:, :-1]], 1)
    return begins, torch.cat([ends[:, :-1], edge], 1) - begins
