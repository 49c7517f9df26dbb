"""Pictures of another size, and pictures sampled at places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.common.lazy import NDArray, np
from edgekit.formats.onnx.graph import Node
from edgekit.formats.onnx.translation.interpolation import Axis, nearest, weights
from edgekit.formats.onnx.translation.registry import operator
from edgekit.formats.onnx.translation.values import constant_tensor, integers, sizes

Array = NDArray[Any]
_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


@dataclass(frozen=True)
class _Wish:
    """What becomes of each axis: its size, and by how much it is scaled."""

    mode: str
    coordinates: str
    outs: tuple[Any, ...]
    scales: tuple[float, ...]
    by_scale: bool


@operator("Resize", numbers=(1, 2, 3))
def _resize(node: Node, x: Tensor, *inputs: Array | None) -> Tensor:
    roi, scales, new = (None, *inputs, None)[:3] if node.version < 11 else (*inputs, None, None, None)[:3]
    default = "asymmetric" if node.version < 11 else "half_pixel"
    coordinates = node.get("coordinate_transformation_mode", default)
    if coordinates == "tf_crop_and_resize":
        raise node.refusal("its coordinates are tf_crop_and_resize")
    del roi
    rounding = "floor" if node.version < 11 else "round_prefer_floor"
    return _resize_axes(node, x, _wish(node, x, scales, new, coordinates), node.get("nearest_mode", rounding))


@operator("Upsample", numbers=(1,))
def _upsample(node: Node, x: Tensor, scales: Array | None = None) -> Tensor:
    factors = np.asarray(node.get("scales")) if scales is None else scales
    return _resize_axes(node, x, _wish(node, x, factors, None, "asymmetric"), "floor")


def _wish(node: Node, x: Tensor, scales: Array | None, new: Array | None, coordinates: str) -> _Wish:
    own = sizes(x)
    axes = [axis % x.dim() for axis in node.get("axes") or range(x.dim())]
    outs, factors = list(own), [1.0] * x.dim()
    by_scale = scales is not None and scales.size > 0
    if scales is not None and scales.size:
        for axis, scale in zip(axes, scales.reshape(-1).tolist(), strict=True):
            factors[axis] = float(scale)
            outs[axis] = own[axis] if scale == 1 else _scale_size(own[axis], float(scale))
    elif new is not None:
        wanted = integers(new)
        policy = node.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            pick = min if policy == "not_larger" else max
            scale = pick(size / own[axis] for axis, size in zip(axes, wanted, strict=True))
            wanted = [int(np.floor(scale * own[axis] + 0.5)) for axis in axes]
            factors = [scale if axis in axes else 1.0 for axis in range(x.dim())]
        for axis, size in zip(axes, wanted, strict=True):
            outs[axis] = size
            if policy == "stretch" and isinstance(size, int) and isinstance(own[axis], int):
                factors[axis] = size / own[axis]
    else:
        raise node.refusal("it says neither sizes nor scales")
    mode = node.get("mode", "nearest")
    return _Wish("linear" if mode == "bilinear" else mode, coordinates, tuple(outs), tuple(factors), by_scale)


def _scale_size(size: Any, scale: float) -> Any:
    if isinstance(size, int):
        return int(np.floor(np.float32(size) * np.float32(scale)))
    return size * int(scale) if scale.is_integer() else None


def _resize_axes(node: Node, x: Tensor, wish: _Wish, rounding: str) -> Tensor:
    own = sizes(x)
    changed = [axis for axis in range(x.dim()) if wish.outs[axis] is not own[axis] and wish.outs[axis] != own[axis]]
    if not changed:
        return x
    spatial = x.dim() in _LINEAR and min(changed) >= 2
    if spatial and _native(node, x, wish, rounding):
        return _by_torch(x, wish)
    for axis in changed:
        size, out = own[axis], wish.outs[axis]
        if not isinstance(size, int) or not isinstance(out, int):
            raise node.refusal(f"its mode {wish.mode} with {wish.coordinates} needs sizes that are not dynamic")
        if wish.coordinates == "align_corners" and wish.by_scale and not _exact(size, out, wish.scales[axis]):
            raise node.refusal("ONNX and onnxruntime align corners otherwise where a scale makes no whole size")
        one = Axis(size, out, wish.scales[axis], wish.coordinates)
        if wish.mode == "nearest":
            x = torch.index_select(x, axis, constant_tensor(nearest(one, rounding)))
            continue
        matrix = weights(
            one,
            wish.mode,
            bool(node.get("antialias", 0)),
            node.get("cubic_coeff_a", -0.75),
            bool(node.get("exclude_outside", 0)),
        )
        x = _along(x, axis, constant_tensor(matrix, x.dtype))
    return x


def _along(x: Tensor, axis: int, matrix: Tensor) -> Tensor:
    """Every line of an axis times a matrix [out, in]."""
    if axis == x.dim() - 2:
        return torch.matmul(matrix, x)
    if axis == x.dim() - 1:
        return F.linear(x, matrix)
    return F.linear(x.movedim(axis, -1), matrix).movedim(-1, axis)


def _native(node: Node, x: Tensor, wish: _Wish, rounding: str) -> bool:
    """Whether torch's own resizing computes the same."""
    own = sizes(x)
    pairs = [(size, out, scale) for size, out, scale in zip(own[2:], wish.outs[2:], wish.scales[2:], strict=True)]
    exact = all(not isinstance(size, int) or _exact(size, out, scale) for size, out, scale in pairs)
    if node.get("antialias", 0) or not exact:
        return False
    if wish.mode == "linear":
        if wish.coordinates == "pytorch_half_pixel":  # an axis that becomes a single value takes the first
            return all(not isinstance(out, int) or out > 1 or out == size for size, out, _ in pairs)
        return wish.coordinates in ("align_corners", "half_pixel")
    if wish.mode != "nearest":
        return False
    for size, out, scale in pairs:
        if not isinstance(size, int) and not (float(scale).is_integer() and wish.by_scale):
            return False
        known, made = (size, out) if isinstance(size, int) else (16, 16 * int(scale))
        places = nearest(Axis(known, made, scale, wish.coordinates), rounding)
        if not np.array_equal(places, np.floor(np.arange(made) * np.float32(known / made)).astype(np.int64)):
            return False
    return True


def _exact(size: int, out: Any, scale: float) -> bool:
    """Whether `out` is not rounded."""
    return bool(abs(out - size * scale) < 1e-3)


def _by_torch(x: Tensor, wish: _Wish) -> Tensor:
    mode = "nearest" if wish.mode == "nearest" else _LINEAR[x.dim()]
    corners = None if mode == "nearest" else wish.coordinates == "align_corners"
    target: Sequence[Any] = wish.outs[2:]
    if all(isinstance(size, int) for size in target) or not wish.by_scale:
        return F.interpolate(x, size=list(target), mode=mode, align_corners=corners)
    return F.interpolate(x, scale_factor=list(wish.scales[2:]), mode=mode, align_corners=corners)


@operator("GridSample")
def _grid_sample(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    names = {"linear": "bilinear", "cubic": "bicubic"}
    mode = node.get("mode", "bilinear" if node.version < 20 else "linear")
    return F.grid_sample(
        x, grid, names.get(mode, mode), node.get("padding_mode", "zeros"), bool(node.get("align_corners", 0))
    )
