"""A part as `torch.export` takes it, for every exporter that traces: arguments, examples, dynamic axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils import parametrize

from edgekit.common.lazy import NDArray
from edgekit.core import Part, TensorSpec
from edgekit.errors import ExportFailed


class Flat(torch.nn.Module):
    """torch.export names dynamic axes per argument; one flat argument list fits every module."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.module(*tensors)


def check_made(part: Part, spec: TensorSpec, dtype: str, sizes: Sequence[Any]) -> None:
    """Raise ExportFailed where an input or output came out otherwise than `part` declares it."""
    if not spec.fits(sizes) or dtype != spec.dtype:
        declared = f"{spec.dtype} {list(spec.shape)}"
        raise ExportFailed(f"{part.name}.{spec.name} came out as {dtype} {list(sizes)}, declared is {declared}.")


def example(part: Part, spec: TensorSpec) -> torch.Tensor:
    """Zeros of the shape that `part` is traced with."""
    sizes = [axis if isinstance(axis, int) else part.axes[axis].example for axis in spec.shape]
    return torch.zeros(sizes, dtype=getattr(torch, spec.dtype))


def dynamic(part: Part, spec: TensorSpec, *, bounded: bool) -> dict[int, Any]:
    """The dynamic axes of an input by position. `bounded`: with their least and most size, for a format that plans
    memory by them; axes of several units always have them."""
    out: dict[int, Any] = {}
    for i, name in enumerate(spec.shape):
        if isinstance(name, str):
            axis = part.axes[name]
            if axis.multiple > 1:
                unit = torch.export.Dim(name, min=-(-axis.least // axis.multiple), max=axis.most // axis.multiple)
                out[i] = axis.multiple * unit
            elif bounded:
                out[i] = torch.export.Dim.DYNAMIC(min=axis.least, max=axis.most)
            else:
                out[i] = torch.export.Dim.DYNAMIC
    return out


def weights_of(module: torch.nn.Module) -> dict[str, NDArray[Any]]:
    """The float tensors of at least two axes that a module holds, by their names: parameters, buffers, attributes; and
    those that are computed of others (parametrizations), as they are."""
    held: dict[str, NDArray[Any]] = {}
    for path, one in module.named_modules():
        if isinstance(one, parametrize.ParametrizationList):
            continue
        tensors = {**vars(one), **one._parameters, **one._buffers}
        if parametrize.is_parametrized(one):
            tensors |= {name: getattr(one, name) for name in one.parametrizations}
        for name, value in tensors.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 1:
                held[f"{path}.{name}" if path else name] = value.detach().float().cpu().numpy()
    return held
