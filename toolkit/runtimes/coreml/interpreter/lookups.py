"""Operators of ML Programs that look values up, put them somewhere or order them: inputs by name -> value, in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgekit.common.lazy import torch
from edgekit.runtimes.coreml.interpreter.shapes import Operator, Values, wide


def _indices(v: Values, size: int) -> Any:
    """Counted from the front."""
    indices = torch.as_tensor(v["indices"]).long()
    return torch.where(indices < 0, indices + size, indices)


def _gather(v: Values) -> Any:
    x, axis, batch = torch.as_tensor(v["x"]), int(v.get("axis", 0)), int(v.get("batch_dims", 0))
    axis %= x.ndim
    indices = _indices(v, x.shape[axis])
    if batch:
        return torch.stack([_gather({"x": one, "indices": i, "axis": axis - 1, "batch_dims": batch - 1})
                            for one, i in zip(x, indices, strict=True)])  # fmt: skip
    taken = x.index_select(axis, indices.reshape(-1))
    return taken.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _gather_along(v: Values) -> Any:
    axis = int(v.get("axis", 0))
    return v["x"].gather(axis, _indices(v, v["x"].shape[axis]))


def _gather_nd(v: Values) -> Any:
    x, indices, batch = v["x"], torch.as_tensor(v["indices"]).long(), int(v.get("batch_dims", 0))
    if batch:
        return torch.stack([_gather_nd({"x": one, "indices": i, "batch_dims": batch - 1})
                            for one, i in zip(x, indices, strict=True)])  # fmt: skip
    return x[tuple(indices.unbind(-1))]


#: Mode of a scatter -> what becomes of an old and a new value.
_MODES: Mapping[str, Callable[..., Any]] = {
    "add": lambda old, new: old + new, "sub": lambda old, new: old - new, "mul": lambda old, new: old * new,
    "div": lambda old, new: old / new, "max": lambda old, new: old.maximum(new),
    "min": lambda old, new: old.minimum(new), "update": lambda old, new: new,
}  # fmt: skip


def _put(data: Any, places: tuple[Any, ...], updates: Any, mode: str) -> Any:
    """`data` with `updates` at `places`, one after the other where a place comes twice.

    Args:
        places: an index tensor for each of the first axes, of one shape. updates: of that shape, then the other axes.
    """
    out, count = wide(data).clone(), places[0].numel()
    flat = wide(updates).reshape(count, *updates.shape[places[0].ndim :])
    for i in range(count) if mode != "update" else ():
        at = tuple(int(place.reshape(-1)[i]) for place in places)
        out[at] = _MODES[mode](out[at], flat[i])
    if mode == "update":
        out[tuple(place.reshape(-1) for place in places)] = flat
    return out


def _scatter(v: Values) -> Any:
    data, axis = v["data"], int(v.get("axis", 0)) % v["data"].ndim
    moved = _put(data.movedim(axis, 0), (_indices(v, data.shape[axis]),), v["updates"].movedim(axis, 0), _mode(v))
    return moved.movedim(0, axis)


def _scatter_along(v: Values) -> Any:
    data, axis = v["data"], int(v.get("axis", 0)) % v["data"].ndim
    indices = _indices(v, data.shape[axis])
    places = list(torch.meshgrid(*(torch.arange(size) for size in indices.shape), indexing="ij"))
    places[axis] = indices
    return _put(data, tuple(places), v["updates"], _mode(v))


def _scatter_nd(v: Values) -> Any:
    indices = torch.as_tensor(v["indices"]).long()
    return _put(v["data"], indices.unbind(-1), v["updates"], _mode(v))


def _mode(v: Values) -> str:
    return str(v.get("mode", "add"))


def _one_hot(v: Values) -> Any:
    size, axis = int(v["one_hot_vector_size"]), int(v.get("axis", -1))
    indices = torch.as_tensor(v["indices"]).long()
    hot = (indices.unsqueeze(-1) == torch.arange(size)).movedim(-1, axis)
    return torch.where(hot, torch.as_tensor(v.get("on_value", 1)), torch.as_tensor(v.get("off_value", 0)))


def _topk(v: Values) -> Any:
    x, axis = v["x"], int(v.get("axis", -1))
    order = _argsort({**v, "axis": axis})
    order = order.narrow(axis, 0, x.shape[axis] if int(v.get("k", 1)) == -1 else int(v.get("k", 1)))
    values = x.gather(axis, order)
    return (values, order) if v.get("return_indices", True) else values


def _argsort(v: Values) -> Any:
    return v["x"].argsort(dim=int(v.get("axis", -1)), descending=not v.get("ascending", False), stable=True)


def _cumsum(v: Values) -> Any:
    x, axis, back = wide(v["x"]), int(v.get("axis", 0)), bool(v.get("reverse", False))
    x = x.flip(axis) if back else x
    total = x.cumsum(axis)
    total = total - x if v.get("exclusive", False) else total
    return total.flip(axis) if back else total


def _best(name: str) -> Operator:
    def apply_arg_reduction(v: Values) -> Any:
        return getattr(v["x"], name)(int(v.get("axis", -1)), keepdim=bool(v.get("keep_dims", True)))

    return apply_arg_reduction


LOOKUPS: Mapping[str, Operator] = {
    "gather": _gather, "gather_along_axis": _gather_along, "gather_nd": _gather_nd, "scatter": _scatter,
    "scatter_along_axis": _scatter_along, "scatter_nd": _scatter_nd, "one_hot": _one_hot, "topk": _topk,
    "argsort": _argsort, "cumsum": _cumsum, "reduce_argmax": _best("argmax"), "reduce_argmin": _best("argmin"),
    "non_zero": lambda v: v["x"].nonzero(),
}  # fmt: skip
