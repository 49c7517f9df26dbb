"""What coremltools' translation of torch's operators lacks or gets wrong, made right while a part is converted."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from coremltools.converters.mil.frontend.torch import ops
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.mil import Builder, Var, types

from edgekit.common.lazy import np

#: Values of a constant from which on its size matters, and how many times those that it is computed from it may be.
_LARGE, _GROWN = 1 << 14, 4


@contextlib.contextmanager
def patch_coremltools() -> Iterator[None]:
    """Inside, coremltools (9.0) translates the operators below, and computes no large constants ahead."""
    known = _TORCH_OPS_REGISTRY.name_to_func_mapping
    before, cast, foldable = dict(known), ops._cast, Var.can_be_folded_to_const
    known.update({name: function for name, function in _LACKING.items() if name not in known} | _WRONG)
    ops._cast, Var.can_be_folded_to_const = _scalar, lambda var: foldable(var) and not _grows(var)
    try:
        yield
    finally:
        ops._cast, Var.can_be_folded_to_const = cast, foldable
        known.clear()
        known.update(before)


def has_constant_outputs(op: Any) -> bool:
    """Whether an operator of a converted program computes what is known already (see `_grows`)."""
    return op.op_type != "const" and all(out.val is not None for out in op.outputs)


def _grows(var: Any) -> bool:
    """Whether a value that is known makes a program much larger than what it is computed from.

    A relative position of every two steps of a sound, times heads, is 8 MB; the table that it is looked up in, 10 kB.
    """
    if var.op is None or getattr(var.val, "size", 0) < _LARGE:
        return False
    held = [one.val for one in var.op.get_flattened_inputs() if one.op is not None and one.op.op_type == "const"]
    return bool(var.val.size > _GROWN * sum(getattr(value, "size", 1) for value in held))


def _scalar(context: Any, node: Any, dtype: Any, name: str) -> None:
    """``int(x)``, ``bool(x)`` and their like, of a tensor with a single value.

    coremltools' own asks Python to convert arrays such as ``[3]``, which numpy has refused since 2.0.
    """
    [x] = ops._get_inputs(context, node, expected=1)
    if any(size != 1 for size in x.shape):
        raise ValueError("input to cast must be either a scalar or a length 1 tensor")
    if x.can_be_folded_to_const():
        made = Builder.const(val=dtype(x.val.item() if hasattr(x.val, "item") else x.val), name=node.name)
    else:
        flat = Builder.squeeze(x=x, name=f"{node.name}_item") if len(x.shape) else x
        made = Builder.cast(x=flat, dtype=name, name=node.name)
    context.add(made, node.name)


def _translation(compute: Callable[..., Any], otherwise: Callable[[Any, Any], None] | None = None) -> Any:
    """A translation as coremltools has them: `compute` takes the operator's inputs and the name of what it makes. Where
    it makes nothing (None), coremltools' own does: `otherwise`."""

    def translate(context: Any, node: Any) -> None:
        made = compute(*ops._get_inputs(context, node), name=node.name)
        if made is not None:
            context.add(made, node.name)
        elif otherwise is not None:
            otherwise(context, node)

    return translate


def _one_of(like: Any, dtype: Any) -> Any:
    """The number one, of the type of `like` if `dtype` is absent."""
    kind = types.builtin_to_string(like.dtype) if dtype is None else ops.NUM_TO_DTYPE_STRING[int(dtype.val)]
    return {"bool": True, "int32": 1}.get(kind, 1.0)


def _new_ones(like: Any, size: Any, dtype: Any = None, *_: Any, name: str) -> Any:
    """``x.new_ones(size, dtype)``: the masks of transformers begin so."""
    one = _one_of(like, dtype)
    if isinstance(size, list):
        size = Builder.concat(values=size, axis=0)
    return Builder.const(val=one, name=name) if size.shape == (0,) else Builder.fill(shape=size, value=one, name=name)


def _ones_like(like: Any, dtype: Any = None, *_: Any, name: str) -> Any:
    """``torch.ones_like(x)``, of the type of `x`: coremltools' own are floats, which no mask can be."""
    return Builder.fill(shape=Builder.shape(x=like), value=_one_of(like, dtype), name=name)


def _bicubic(x: Any, size: Any, aligned: Any, *factors: Any, name: str) -> Any:
    """Resizing an image between known sizes is a product of matrices on each side of it."""
    scales = [None if one is None else one.val for one in factors]
    scales = list(scales[0]) if len(scales) == 1 and scales[0] is not None else [*scales, None, None][:2]
    whole = x.shape[-2:]
    if size is not None:
        sizes = [int(one.val) for one in size] if isinstance(size, list) else [int(one) for one in size.val]
    else:
        sizes = [int(old * scale) for old, scale in zip(whole, scales, strict=True)]
    for axis, (old, new, scale) in enumerate(zip(whole, sizes, scales, strict=True)):
        unit = torch.eye(int(old)).reshape(1, int(old), int(old), 1)
        made = torch.ops.aten.upsample_bicubic2d(unit, [new, 1], bool(aligned.val), scale, None)[0, :, :, 0]
        matrix = (made.T if axis == 0 else made)[None, None].contiguous().numpy()
        x = Builder.matmul(x=x, y=matrix, name=name) if axis else Builder.matmul(x=matrix, y=x)
    return x


def _chunk(x: Any, count: Any, dim: Any, *, name: str) -> Any:
    """``x.unsafe_chunk(count, dim)``, which cells of recurrent networks are made of: parts of equal length."""
    return Builder.split(x=x, num_splits=int(count.val), axis=int(dim.val), name=name)


def _diff(x: Any, times: Any = None, axis: Any = None, before: Any = None, after: Any = None, *, name: str) -> Any:
    """``torch.diff``: each value of an axis less the one before it."""
    at = -1 if axis is None else int(axis.val)
    whole = [part for part in (before, x, after) if part is not None]
    x = Builder.concat(values=whole, axis=at) if len(whole) > 1 else x
    for _ in range(1 if times is None else int(times.val)):
        size = [-1] * len(x.shape)
        size[at] = int(x.shape[at]) - 1
        low = [0] * len(size)
        high = list(low)
        high[at] = 1
        x = Builder.sub(x=Builder.slice_by_size(x=x, begin=high, size=size),
                        y=Builder.slice_by_size(x=x, begin=low, size=size))  # fmt: skip
    return x


def _unfold(x: Any, axis: Any, size: Any, step: Any, *, name: str) -> Any:
    """``x.unfold(axis, size, step)``: windows of an axis, as a last axis."""
    rank, at = len(x.shape), int(axis.val) % len(x.shape)
    windows = Builder.sliding_windows(x=x, axis=at, size=int(size.val), stride=int(step.val))
    order = [one for one in range(rank + 1) if one != at + 1]
    return Builder.transpose(x=windows, perm=[*order, at + 1], name=name)


def _isfinite(x: Any, *, name: str) -> Any:
    """``torch.isfinite``: below infinity on either side, which what is no number is not."""
    if not types.is_float(x.dtype):
        return Builder.equal(x=x, y=x, name=name)
    return Builder.less(x=Builder.abs(x=x), y=types.nptype_from_builtin(x.dtype)(np.inf), name=name)


def _isnan(x: Any, *, name: str) -> Any:
    """``torch.isnan``: what is not equal to itself."""
    return Builder.not_equal(x=x, y=x, name=name)


#: Operator of torch -> its translation.
_LACKING = {
    "new_ones": _translation(_new_ones),
    "unsafe_chunk": _translation(_chunk),
    "upsample_bicubic2d": _translation(_bicubic),
    "diff": _translation(_diff),
    "unfold": _translation(_unfold),
    "isfinite": _translation(_isfinite),
    "isnan": _translation(_isnan),
}


def _slice_scatter(context: Any, node: Any) -> None:
    """``torch.slice_scatter``, also of masks: Core ML writes numbers into a tensor, but no truths."""
    if not types.is_bool(context[node.inputs[0]].dtype):
        ops.slice_scatter(context, node)
        return
    numbers = copy.copy(node)
    numbers.name, numbers.inputs = f"{node.name}_numbers", list(node.inputs)
    for place in (0, 1):
        number = Builder.cast(x=context[node.inputs[place]], dtype="int32", name=f"{numbers.name}_{place}")
        context.add(number)
        numbers.inputs[place] = number.name
    ops.slice_scatter(context, numbers)
    context.add(Builder.cast(x=context[numbers.name], dtype="bool", name=node.name))


def _and(a: Any, b: Any, *, name: str) -> Any:
    """``a & b`` of masks; coremltools has lost the type of some, which are floats to it, as torch's never are."""
    if any(types.is_int(one.dtype) for one in (a, b)):
        return None  # coremltools' own refuses bits of whole numbers
    masks = [one if types.is_bool(one.dtype) else Builder.cast(x=one, dtype="bool") for one in (a, b)]
    return Builder.logical_and(x=masks[0], y=masks[1], name=name)


def _clamp(context: Any, node: Any) -> None:
    """``torch.clamp``, of whole numbers too: coremltools makes floats of those, which are no indices."""
    x = context[node.inputs[0]]
    ends = [None if name is None else context[name] for name in [*node.inputs[1:3], None, None][:2]]
    whole = all(end is None or (end.val is not None and end.val == int(end.val)) for end in ends)
    if not types.is_int(x.dtype) or not whole:
        ops.clamp(context, node)
        return
    for end, limit in zip(ends, (Builder.maximum, Builder.minimum), strict=True):
        x = x if end is None else limit(x=x, y=int(end.val))
    context.add(Builder.identity(x=x, name=node.name))


def _copy(x: Any, source: Any, *_: Any, name: str) -> Any:
    """``aten.copy``, which writes nothing: the second tensor, in the shape of the first."""
    if x.shape != source.shape:
        source = Builder.add(x=Builder.mul(x=x, y=0.0), y=source)
    return Builder.identity(x=source, name=name)


def _prelu(x: Any, slope: Any, *, name: str) -> Any:
    """``torch.prelu``, also of what is no image: there Core ML's own has one slope for all channels."""
    if len(x.shape) == 4 or slope.val is None or slope.val.size == 1:
        return None
    slope = np.reshape(slope.val, (-1, *[1] * (len(x.shape) - 2)))
    below = Builder.mul(x=Builder.minimum(x=x, y=0.0), y=slope)
    return Builder.add(x=Builder.maximum(x=x, y=0.0), y=below, name=name)


#: The same for what coremltools translates otherwise than torch means it.
_WRONG = {
    "ones_like": _translation(_ones_like),
    "slice_scatter": _slice_scatter,
    "bitwise_and": _translation(_and, ops.bitwise_and),
    "and": _translation(_and, ops.bitwise_and),
    "copy": _translation(_copy),
    "clamp": _clamp,
    "prelu": _translation(_prelu, ops.prelu),
}
