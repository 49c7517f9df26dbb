"""Operators of ML Programs that resize images or move blocks of them: inputs by name -> value, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import F, torch
from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, ints, wide


def _points(size: int, out: int, mode: str) -> Any:
    """Where each of `out` points lies on an axis of `size`, by a sampling mode of ``resize_bilinear``."""
    steps = torch.arange(out, dtype=torch.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if out == 1:
            return torch.full((1,), (size - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0, dtype=torch.float64)
        at = steps * (size - 1) / (out - 1)
    elif mode == "OFFSET_CORNERS":
        at = (steps + 0.5) * max(1, size - 1) / out
    elif mode == "UNALIGN_CORNERS":
        at = (steps + 0.5) * size / out - 0.5
    else:
        at = steps * size / out
    return at.clamp(0, size - 1)


def _linear(x: Any, axis: int, out: int, mode: str) -> Any:
    """`x` with `out` points on `axis`, each between its two neighbours."""
    at = _points(x.shape[axis], out, mode)
    low = at.floor().long()
    high = (low + 1).clamp(max=x.shape[axis] - 1)
    shape = [1] * x.ndim
    shape[axis] = out
    share = (at - low).to(x.dtype).reshape(shape)
    below, above = x.index_select(axis, low), x.index_select(axis, high)
    return below + (above - below) * share


def _nearest(x: Any, axis: int, out: int, mode: str = "DEFAULT") -> Any:
    if mode == "DEFAULT":
        return x.index_select(axis, _points(x.shape[axis], out, mode).floor().long())
    return x.index_select(axis, _points(x.shape[axis], out, mode).add(0.5).floor().long().clamp(max=x.shape[axis] - 1))


def _scale_size(v: Values) -> tuple[int, int]:
    """Height and width that the scale factors make."""
    scales = [v.get("scale_factor_height", 1), v.get("scale_factor_width", 1)]
    # A factor is stored in fp32, where 7 / 3 is too little for 7 whole pixels.
    height, width = (int(size * float(scale) + 1e-4) for size, scale in zip(v["x"].shape[-2:], scales, strict=True))
    return height, width


def _resize_axes(x: Any, sizes: Sequence[int], one: Any, mode: str) -> Any:
    """The last axes of `x` in other sizes; `one` resizes a single axis."""
    x = wide(x)
    for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
        x = one(x, x.ndim + axis, size, mode)
    return x


def _target(v: Values) -> list[int]:
    return [int(v.get("target_size_height", 1)), int(v.get("target_size_width", 1))]


def _upsample_bilinear(v: Values) -> Any:
    mode = "STRICT_ALIGN_CORNERS" if v.get("align_corners", True) else "UNALIGN_CORNERS"
    return _resize_axes(v["x"], _scale_size(v), _linear, mode)


def _resize(v: Values) -> Any:
    count = int(v["resized_dims"])
    sizes = [size or old for size, old in zip(ints(v["shape"])[-count:], v["x"].shape[-count:], strict=True)]
    one = _nearest if v.get("interpolation_mode", "LINEAR") == "NEAREST_NEIGHBOR" else _linear
    return _resize_axes(v["x"], sizes, one, str(v.get("sampling_mode", "DEFAULT")))


def _resample(v: Values) -> Any:
    modes = {"constant": "zeros", "border": "border", "reflection": "reflection"}
    padding, kind = v.get("padding_mode", "constant"), v.get("coordinates_mode", "")
    if padding not in modes or kind != "normalized_minus_one_to_one" or float(v.get("padding_value", 0.0)):
        raise ValueError(f"a resampling with {padding} padding of {kind} coordinates is not known here")
    aligned = bool(v.get("align_corners", False))
    coordinates = wide(v["coordinates"]).float()
    return F.grid_sample(wide(v["x"]), coordinates, str(v.get("sampling_mode", "bilinear")), modes[padding], aligned)


def _to_space(v: Values) -> Any:
    """Channels as blocks of pixels; in ``depth_to_space`` the block is the outer part of the channels."""
    x, size = v["x"], int(v["block_size"])
    n, c, h, w = x.shape
    blocks = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // size**2, h * size, w * size)


def _to_depth(v: Values) -> Any:
    x, size = v["x"], int(v["block_size"])
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * size**2, h // size, w // size)


def _to_batch(v: Values) -> Any:
    (top, bottom), (left, right) = ([int(side) for side in sides] for sides in v["paddings"])
    height, width = ints(v["block_shape"])
    x = F.pad(v["x"], (left, right, top, bottom))
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // height, height, w // width, width).permute(3, 5, 0, 1, 2, 4)
    return blocks.reshape(n * height * width, c, h // height, w // width)


def _from_batch(v: Values) -> Any:
    (top, bottom), (left, right) = ([int(side) for side in sides] for sides in v["crops"])
    height, width = ints(v["block_shape"])
    x = v["x"]
    n, c, h, w = x.shape
    blocks = x.reshape(height, width, n // (height * width), c, h, w).permute(2, 3, 4, 0, 5, 1)
    whole = blocks.reshape(n // (height * width), c, h * height, w * width)
    return whole[:, :, top : h * height - bottom, left : w * width - right]


def _pixel_shuffle(v: Values) -> Any:
    return F.pixel_shuffle(v["x"], int(v["upscale_factor"]))


def _pixel_unshuffle(v: Values) -> Any:
    return F.pixel_unshuffle(v["x"], int(v["downscale_factor"]))


IMAGES: Mapping[str, Operator] = {
    "upsample_bilinear": _upsample_bilinear, "resize": _resize, "resample": _resample,
    "upsample_nearest_neighbor": lambda v: _resize_axes(v["x"], _scale_size(v), _nearest, "DEFAULT"),
    "resize_nearest_neighbor": lambda v: _resize_axes(v["x"], _target(v), _nearest, "DEFAULT"),
    "resize_bilinear": lambda v: _resize_axes(v["x"], _target(v), _linear, str(v.get("sampling_mode", "DEFAULT"))),
    "depth_to_space": _to_space, "space_to_depth": _to_depth, "space_to_batch": _to_batch,
    "batch_to_space": _from_batch, "pixel_shuffle": _pixel_shuffle, "pixel_unshuffle": _pixel_unshuffle,
}  # fmt: skip
