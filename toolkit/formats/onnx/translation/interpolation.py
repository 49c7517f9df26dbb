"""Where the values of a resized axis come from: places for nearest neighbours, weights for the other modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np

Array = NDArray[Any]


@dataclass(frozen=True)
class Axis:
    """An axis of `size` values that becomes one of `out` values, scaled by `scale` (of which `out` is rounded)."""

    size: int
    out: int
    scale: float
    coordinates: str

    def places(self) -> Array:
        """The place in the old axis of each value of the new one."""
        scale = np.float64(np.float32(self.scale))
        new = np.arange(self.out, dtype=np.float64)
        if self.coordinates == "align_corners":
            return new * ((self.size - 1) / (self.out - 1)) if self.out > 1 else new * 0
        if self.coordinates == "asymmetric":
            return np.asarray(new / scale)
        half = (new + 0.5) / scale - 0.5
        if self.coordinates == "pytorch_half_pixel" and self.out == 1:
            return half * 0
        if self.coordinates == "half_pixel_symmetric":
            ratio = self.out / (scale * self.size)
            half = half + self.size / 2 * (1 - ratio)
        return np.asarray(half)


def nearest(axis: Axis, rounding: str) -> Array:
    """The place of the nearest old value of each new one [out]."""
    places = axis.places().astype(np.float32)
    if rounding in ("round_prefer_floor", "ceil"):
        rounded = np.ceil(places - (0.5 if rounding == "round_prefer_floor" else 0))
    else:
        rounded = np.floor(places + (0.5 if rounding == "round_prefer_ceil" else 0))
    return np.asarray(np.clip(rounded, 0, axis.size - 1).astype(np.int64))


def weights(axis: Axis, mode: str, antialias: bool, a: float, exclude_outside: bool) -> Array:
    """The weight of every old value for each new one [out, size], float32.

    Args:
        mode: "linear" or "cubic". antialias: widen the window where an axis shrinks.
        a: the coefficient of cubic interpolation. exclude_outside: values beyond the edges weigh nothing; else they
            are what lies at the edge.
    """
    shrink = min(axis.scale, 1.0) if antialias else 1.0
    radius = (1 if mode == "linear" else 2) / shrink
    out = np.zeros((axis.out, axis.size))
    for row, place in enumerate(axis.places()):
        window = np.arange(int(np.floor(place - radius)) + 1, int(np.ceil(place + radius)) + 1)
        distance = np.abs(window - place) * shrink
        share = np.clip(1 - distance, 0, None) if mode == "linear" else _cubic(distance, a)
        inside = (window >= 0) & (window < axis.size)
        if exclude_outside:
            share = np.where(inside, share, 0)
        np.add.at(out[row], np.clip(window, 0, axis.size - 1), share)
        out[row] /= out[row].sum()
    return out.astype(np.float32)


def _cubic(distance: Array, a: float) -> Array:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
