"""Values while a graph runs: tensors, and numbers that are known without running (constants, sizes of axes).

Sizes of dynamic axes are symbols of torch.export, or scalars of a trace; an array of dtype object holds those beside
whole numbers. Arithmetic on shapes so never becomes a tensor.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

from edgekit.common.lazy import NDArray, np

#: ONNX's number of a dtype -> torch's. bfloat16 and float8 are computed with in float32.
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 4: torch.uint16, 5: torch.int16, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 12: torch.uint32, 13: torch.uint64, 16: torch.float32,
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """Numbers that are known; `twin` gives them as a weight of the module, if they are one."""

    array: NDArray[Any]
    twin: Callable[[], Tensor] | None = None

    @property
    def symbolic(self) -> bool:
        return self.array.dtype == object


Value = Tensor | Held


def hold_numbers(values: Any, dtype: Any = np.int64) -> Held:
    """Numbers, symbols among them or not."""
    flat = np.asarray(values, object)
    known = all(isinstance(item, (bool, int, float, np.generic)) for item in flat.reshape(-1))
    return Held(flat.astype(dtype) if known else flat)


def integers(array: NDArray[Any]) -> list[Any]:
    """A flat list of whole numbers and symbols."""
    return [int(item) if isinstance(item, (int, float, np.generic)) else item for item in array.reshape(-1).tolist()]


_FIXED: ContextVar[bool] = ContextVar("fixed", default=False)


@contextmanager
def assume_fixed_axes(every_axis: bool) -> Iterator[None]:
    """Inside, every axis has a fixed size, or not: a trace (torch.jit) cannot tell."""
    token = _FIXED.set(every_axis)
    try:
        yield
    finally:
        _FIXED.reset(token)


def sizes(tensor: Tensor) -> list[Any]:
    """The sizes of a tensor's axes: numbers, and symbols for those that are dynamic."""
    shape: list[Any] = list(tensor.shape)
    if _FIXED.get() and torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a size becomes a constant is what is wanted
            return [int(size) for size in shape]
    return shape


def is_one(size: Any) -> bool:
    """Whether a size is known to be 1."""
    return isinstance(size, int) and size == 1


def same(left: Any, right: Any) -> bool:
    """Whether two sizes are known to be equal."""
    return bool(statically_known_true(left == right)) if not isinstance(left, Tensor) else left is right


def dtype_of(value: Value) -> torch.dtype:
    """The dtype of a value, as a tensor."""
    if isinstance(value, Tensor):
        return value.dtype
    return torch.int64 if value.symbolic else torch_dtype(value.array.dtype)


def torch_dtype(dtype: Any) -> torch.dtype:
    """NumPy's dtype as torch's."""
    out: torch.dtype = getattr(torch, np.dtype(dtype).name)
    return out


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """torch's dtype as NumPy's."""
    return np.dtype(str(dtype).removeprefix("torch."))


def constant_tensor(array: NDArray[Any], dtype: torch.dtype | None = None) -> Tensor:
    """A constant that is made while the graph runs."""
    return torch.tensor(array, dtype=dtype)


def to_tensor(value: Value) -> Tensor:
    """A value as a tensor; symbols become scalars of the graph."""
    if isinstance(value, Tensor):
        return value
    if value.twin is not None:
        return value.twin()
    if not value.symbolic:
        return constant_tensor(value.array)
    items: Sequence[Any] = value.array.reshape(-1).tolist()
    scalars = [item if isinstance(item, Tensor) else _scalar(item) for item in items]
    return torch.stack(scalars).reshape(list(value.array.shape))


def _scalar(item: Any) -> Tensor:
    dtype = torch.float32 if isinstance(item, (float, torch.SymFloat)) else torch.int64
    return torch.scalar_tensor(item, dtype=dtype)
