"""Operators of ML Programs that move values without computing any: inputs by name -> value, in torch.

Names and meanings are those of coremltools' `mil.ops.defs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgekit.common.lazy import F, torch

Values = Mapping[str, Any]
Operator = Callable[[Values], Any]

_DTYPES = {
    "fp16": "float16", "fp32": "float32", "int32": "int32", "int16": "int16", "int8": "int8", "uint8": "uint8",
    "uint16": "uint16", "bool": "bool",
}  # fmt: skip


def cast_like(value: Any, held: Any) -> Any:
    """`value` in the type that the program's variable `held` has."""
    from coremltools.converters.mil.mil import types

    name = types.builtin_to_string(held.dtype)
    if not isinstance(value, torch.Tensor):
        value = torch.as_tensor(value)
    return value.to(getattr(torch, _DTYPES[name]))


def wide(value: Any) -> Any:
    """fp16 as fp32: what is summed is not rounded in between."""
    return value.float() if isinstance(value, torch.Tensor) and value.dtype == torch.float16 else value


def ints(value: Any) -> list[int]:
    return [int(item) for item in value] if hasattr(value, "__iter__") else [int(value)]


def _slice_indices(v: Values) -> tuple[Any, ...]:
    """What begin, end, stride and masks choose of every axis."""
    x, begin, end = v["x"], ints(v["begin"]), ints(v["end"])
    stride = ints(v["stride"]) if v.get("stride") is not None else [1] * x.ndim
    masks = [[bool(b) for b in v[key]] if v.get(key) is not None else [False] * x.ndim for key in
             ("begin_mask", "end_mask", "squeeze_mask")]  # fmt: skip
    taken: list[Any] = []
    for axis in range(x.ndim):
        if masks[2][axis]:
            taken.append(begin[axis])
        else:
            first = None if masks[0][axis] else begin[axis]
            last = None if masks[1][axis] else end[axis]
            taken.append(slice(first, last, stride[axis]))
    return tuple(taken)


def _slice(v: Values) -> Any:
    """torch takes no steps backwards, so such an axis is turned round first."""
    x, taken = v["x"], list(_slice_indices(v))
    for axis, one in enumerate(taken):
        if isinstance(one, slice) and one.step < 0:
            chosen = list(range(x.shape[axis]))[one]
            x, taken[axis] = x[(slice(None),) * axis + (chosen,)], slice(None)
    return x[tuple(taken)]


def _slice_by_size(v: Values) -> Any:
    x = v["x"]
    sides = zip(ints(v["begin"]), ints(v["size"]), x.shape, strict=True)
    return x[tuple(slice(first, whole if size == -1 else first + size) for first, size, whole in sides)]


def _slice_update(v: Values) -> Any:
    out = v["x"].clone()
    out[_slice_indices(v)] = v["update"]
    return out


def _band(v: Values) -> Any:
    x, lower, upper = v["x"], int(v.get("lower", -1)), int(v.get("upper", -1))
    apart = torch.arange(x.shape[-2])[:, None] - torch.arange(x.shape[-1])
    inside = ((apart <= lower) | (lower < 0)) & ((-apart <= upper) | (upper < 0))
    return torch.where(inside, x, torch.zeros_like(x))


def _flat(v: Values) -> Any:
    import math

    x, axis = v["x"], int(v.get("axis", 1))
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _windows(v: Values) -> Any:
    axis = int(v["axis"]) % v["x"].ndim
    return v["x"].unfold(axis, int(v["size"]), int(v.get("stride", 1))).movedim(-1, axis + 1)


def _reshape(v: Values) -> Any:
    shape = ints(v["shape"])
    return v["x"].reshape([v["x"].shape[i] if size == 0 else size for i, size in enumerate(shape)])


def _split(v: Values) -> Any:
    x, axis = v["x"], int(v["axis"])
    if v.get("split_sizes") is not None:
        return x.split(ints(v["split_sizes"]), axis)
    return x.chunk(int(v["num_splits"]), axis)


def _crop(v: Values) -> Any:
    """Without the first and last rows and columns."""
    x = v["x"]
    (top, bottom), (left, right) = ints(v["crop_height"]), ints(v["crop_width"])
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def _pad(v: Values) -> Any:
    flat = ints(v["pad"])
    sides = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}[v.get("mode", "constant")]
    x = v["x"]
    while mode != "constant" and len(sides) > 1 and sides[0] == (0, 0):
        sides = sides[1:]  # torch pads by reflection the last axes only
    sizes = [size for side in reversed(sides) for size in side]
    if mode == "constant":
        return F.pad(x, sizes, value=float(v.get("constant_val", 0.0)))
    missing = max(0, len(sides) + 2 - x.ndim)
    return F.pad(wide(x).reshape(*[1] * missing, *x.shape), sizes, mode=mode).squeeze(tuple(range(missing)))


def _range(v: Values) -> Any:
    return torch.arange(*(float(v[k]) if isinstance(v[k], float) else int(v[k]) for k in ("start", "end", "step")))


def _fill(v: Values) -> Any:
    return torch.full(ints(v["shape"]), v.get("value", 0.0))


def _select(v: Values) -> Any:
    return torch.where(torch.as_tensor(v["cond"]).bool(), torch.as_tensor(v["a"]), torch.as_tensor(v["b"]))


def _shape(v: Values) -> Any:
    return torch.tensor(v["x"].shape, dtype=torch.int32)


def _squeeze(v: Values) -> Any:
    return v["x"].squeeze(tuple(ints(v["axes"]))) if v.get("axes") is not None else v["x"].squeeze()


def _expand(v: Values) -> Any:
    x = torch.as_tensor(v["x"])
    for axis in ints(v["axes"]):  # in order, each counted in the result
        x = x.unsqueeze(axis)
    return x


def _concat(v: Values) -> Any:
    return torch.cat([torch.as_tensor(x).reshape(-1) if not getattr(x, "ndim", 0) else x for x in v["values"]],
                     int(v["axis"]))  # fmt: skip


def _reverse(v: Values) -> Any:
    return v["x"].flip(ints(v["axes"]) if v.get("axes") is not None else list(range(v["x"].ndim)))


def _stack(v: Values) -> Any:
    return torch.stack([torch.as_tensor(value) for value in v["values"]], int(v["axis"]))


def _cast(v: Values) -> Any:
    return torch.as_tensor(v["x"]).to(getattr(torch, _DTYPES[v["dtype"]]))


SHAPES: Mapping[str, Operator] = {
    "transpose": lambda v: v["x"].permute(ints(v["perm"])), "reshape": _reshape, "squeeze": _squeeze,
    "expand_dims": _expand, "concat": _concat, "stack": _stack, "split": _split, "slice_by_index": _slice,
    "pad": _pad, "crop": _crop, "shape": _shape, "fill": _fill, "tile": lambda v: v["x"].repeat(ints(v["reps"])),
    "slice_by_size": _slice_by_size, "slice_update": _slice_update, "band_part": _band, "flatten2d": _flat,
    "sliding_windows": _windows, "fill_like": lambda v: _fill({"shape": v["ref_tensor"].shape, "value": v["value"]}),
    "range_1d": _range, "select": _select, "reverse": _reverse, "cast": _cast, "identity": lambda v: v["x"],
}  # fmt: skip
