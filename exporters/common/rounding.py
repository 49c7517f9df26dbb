"""Weights of a torch module, rounded by the inputs of their layers (see `edgekit.quantization.weights.snapping`).

It needs no trace: the module runs, and every product and convolution that torch really computes is looked at. A weight
is recognized by its memory, so modules, functions and traced graphs are all the same. Whatever quantizes the module
afterwards rounds each weight to itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from edgekit.core import Feeds, Part
from edgekit.numerics.parity import relative_error
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.gptq import Grid
from edgekit.quantization.weights.palettes import Palette
from edgekit.quantization.weights.snapping import CALLS, Inputs, Window, snap_to_grid

_aten = torch.ops.aten
#: Products: where their inputs, their weights, and a bias are among the arguments.
_PRODUCTS = {_aten.addmm.default: (1, 2, 0), _aten.mm.default: (0, 1, -1)}
_NORMALIZATIONS = (_aten.native_batch_norm.default, _aten._native_batch_norm_legit_no_training.default)
_SUMS = (_aten.add.Tensor, _aten.add_.Tensor)
#: A module with absorbed normalizations computes what it did before, but for the last digits; by at most this.
_SAME = 1e-4
#: What only looks at a tensor's memory in another way, and what reads no values.
_VIEWS = (
    *(_aten.t.default, _aten.transpose.int, _aten.permute.default, _aten.detach.default, _aten.alias.default),
    *(_aten.view.default, _aten._unsafe_view.default, _aten.unsqueeze.default, _aten.squeeze.dim),
)


@dataclass
class _Layer:
    """A weight with the inputs that met it.

    Attributes:
        name: in the module, without ".weight". turned: the outputs are its last axis. bias: what is added to its
            outputs, if anything is. norm: the gain, the shift, the mean and the variance of the normalization right
            behind it, and what is added to the variance.
    """

    name: str
    weight: torch.Tensor
    inputs: Inputs
    turned: bool = False
    bias: torch.Tensor | None = None
    norm: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, float] | None = None

    @property
    def rows(self) -> torch.Tensor:
        """The weights, outputs first; a view."""
        return self.weight.data.T if self.turned else self.weight.data

    @property
    def plain(self) -> bool:
        """Whether its outputs reach the bias as they are."""
        return self.norm is None or bool((self.norm[0] == 1).all() and (self.norm[3] == 1 - self.norm[4]).all())


def round_weights(
    module: torch.nn.Module,
    part: Part,
    feeds: Sequence[Feeds],
    grid: Callable[[str, int], Grid | Palette | None],
    tell: Callable[[int, int], None],
    *,
    least: int = 0,
) -> None:
    """Put the weights of `module` on a grid, in place, and what that shifts on average into its biases.

    Args:
        grid: (name in the module without ".weight", outputs) -> what the weights lie on then; None: they are left.
        least: fewer weights are left.

    Left as they are, besides: weights that are used otherwise, too (an embedding that is also a product), those of
    transposed and three-dimensional convolutions, and of recurrent layers.

    Raises:
        BadInput: a value that a layer gets is not finite.
    """
    calls = subsample_evenly(feeds, CALLS)
    _absorb_norms(module, part, calls[0], least)
    layers = _watch_layers(module, part, calls, least, tell)
    owners = Counter(id(layer.bias) for layer in layers)
    for layer in layers:
        own = layer.bias is not None and owners[id(layer.bias)] == 1 and layer.plain
        chosen = grid(layer.name, len(layer.rows))
        if chosen is None:
            continue
        values = layer.rows.movedim(1, -1).contiguous().numpy()
        made = snap_to_grid(values, layer.inputs, chosen, biased=own)
        layer.rows.copy_(torch.from_numpy(made.weights).movedim(-1, 1))
        if own and layer.bias is not None:
            layer.bias.data.add_(torch.from_numpy(made.shift).reshape(layer.bias.shape))


def _absorb_norms(module: torch.nn.Module, part: Part, feed: Feeds, least: int) -> None:
    """Make the normalizations right behind layers a part of their weights, and leave of them a shift alone: converters
    would do so later, and tear weights off their grid. What then computes something else is put back."""
    before = _run_module(module, part, feed)
    layers = [layer for layer in _watch_layers(module, part, [feed], least) if layer.norm]
    norms = Counter(id(layer.norm[0]) for layer in layers if layer.norm)
    tensors = [one for layer in layers for one in (layer.weight, layer.bias, *(layer.norm or ())[:4])]
    old = [(one, one.detach().clone()) for one in tensors if isinstance(one, torch.Tensor)]
    for layer in layers:
        if layer.norm is None or norms[id(layer.norm[0])] > 1:
            continue
        gain, shift, mean, variance, least_variance = layer.norm
        by = gain.detach() / torch.sqrt(variance + least_variance)
        layer.rows.mul_(by.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        if layer.bias is not None and layer.bias is not shift:
            layer.bias.data.mul_(by)
        shift.data.sub_(mean * by)
        mean.data.zero_()
        gain.data.fill_(1)
        variance.data.fill_(1 - least_variance)
    if old and relative_error([_run_module(module, part, feed)], [before]) > _SAME:
        for one, values in old:
            one.data.copy_(values)


def _run_module(module: torch.nn.Module, part: Part, feed: Feeds) -> Feeds:
    with torch.no_grad():
        out = module(*(torch.from_numpy(feed[spec.name].copy()) for spec in part.inputs))
    outs = out if isinstance(out, tuple | list) else (out,)
    return {spec.name: value.numpy() for spec, value in zip(part.outputs, outs, strict=True)}


def _watch_layers(
    module: torch.nn.Module,
    part: Part,
    feeds: Sequence[Feeds],
    least: int,
    tell: Callable[[int, int], None] = lambda i, n: None,
) -> list[_Layer]:
    watching = _Watching(module, len(feeds), least)
    for i, feed in enumerate(feeds):
        tell(i, len(feeds))
        with watching:
            _run_module(module, part, feed)
    return list(watching.layers.values())


class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Shows every layer its inputs while a module runs.

    Attributes:
        layers: memory of a weight -> the layer.
    """

    def __init__(self, module: torch.nn.Module, calls: int, least: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        held = [*module.named_parameters(), *module.named_buffers()]
        places = [(one.untyped_storage().data_ptr(), name, one) for name, one in held if one.is_floating_point()]
        self._tensors = {place: one for place, _, one in places if one.ndim}
        self._names = {place: name.removesuffix(".weight") for place, name, _ in places}
        self._calls, self._least = calls, least
        self._last: tuple[_Layer, torch.Tensor] | None = None
        self._other: set[int] = set()
        self.layers: dict[int, _Layer] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is _aten.convolution.default and not args[6] and args[1].ndim in (3, 4):
            self._convolve(args, out)
        elif func in _PRODUCTS:
            self._observe_product(func, args, out)
        elif func not in _VIEWS:
            if func in _NORMALIZATIONS or func in _SUMS:
                self._follow(func, args)
            self._use(args)
        return out

    def _module_tensor(self, value: Any) -> torch.Tensor | None:
        """The parameter or buffer whose memory a value has."""
        return self._tensors.get(value.untyped_storage().data_ptr()) if isinstance(value, torch.Tensor) else None

    def _use(self, args: Any) -> None:
        """A weight that something else reads must stay what it is."""
        for held in map(self._module_tensor, tree_leaves(args)):
            if held is not None and held.ndim > 1:
                self._other.add(held.untyped_storage().data_ptr())
                self.layers.pop(held.untyped_storage().data_ptr(), None)

    def _see(self, weight: Any, rows: torch.Tensor, bias: Any, out: torch.Tensor, inputs: Inputs) -> None:
        held, place = self._module_tensor(weight), weight.untyped_storage().data_ptr()
        turned = weight.shape == getattr(held, "shape", None) and weight.stride(0) != 1 and inputs.window is None
        like = () if held is None else held.shape if inputs.window or turned else held.shape[::-1]
        if held is None or place in self._other or weight.shape != like or held.numel() < self._least:
            self._use([weight])
            return
        layer = self.layers.setdefault(
            place, _Layer(self._names[place], held, inputs, turned, self._module_tensor(bias))
        )
        layer.inputs.see(rows.numpy(), self._calls)
        self._last = layer, out

    def _observe_product(self, func: Any, args: Any, out: torch.Tensor) -> None:
        source, place, bias = _PRODUCTS[func]
        self._use(args[source])
        self._see(args[place], args[source], args[bias] if bias >= 0 else None, out, Inputs())

    def _convolve(self, args: Any, out: torch.Tensor) -> None:
        source, weight, bias, strides, pads, dilations, _, _, groups = args
        (down, across), (top, left), (below, beside) = (
            (value[0], value[-1]) if weight.ndim == 4 else (default, value[0])
            for value, default in ((strides, 1), (pads, 0), (dilations, 1))
        )
        size = (weight.shape[2], weight.shape[3]) if weight.ndim == 4 else (1, weight.shape[2])
        window = Window(size, (down, across), (top, left, top, left), (below, beside))
        image = source if source.ndim == 4 else source[:, :, None]
        self._use(source)
        self._see(weight, image.movedim(1, -1), bias, out, Inputs(window, groups))

    def _follow(self, func: Any, args: Any) -> None:
        """A bias, or a normalization, right behind a layer."""
        layer, out = self._last or (None, None)
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        if layer is None or out is None:
            return
        if out.untyped_storage().data_ptr() not in [value.untyped_storage().data_ptr() for value in tensors]:
            return
        if func in _SUMS:
            known = [held for held in map(self._module_tensor, tensors) if held is not None]
            bias = next((held for held in known if held.shape == (len(layer.rows),)), None)
            layer.bias = bias if layer.bias is None and layer.norm is None else layer.bias
        elif layer.norm is None and all(self._module_tensor(value) is not None for value in args[1:5]):
            layer.norm = (*map(self._module_tensor, args[1:5]), float(args[-1]))  # type: ignore[assignment]
            layer.bias = layer.norm[1] if layer.bias is None and layer.norm else layer.bias
