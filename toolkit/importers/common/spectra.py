"""Spectra as real arithmetic: a Fourier transform of a fixed length is a product with cosines and sines.

Phones' formats know no complex numbers. Here each complex tensor of a graph becomes two, its real and its imaginary
part: transforms become products of matrices, those of windows (stft, istft) a convolution. A graph with anything else
that is complex stays as it is, and a format that lacks it says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from edgekit.common.lazy import torch

#: Weights that a transform may have: 4096 samples to 2049 frequencies, real and imaginary.
_MOST = 2 * 4096 * 2049


class _Pair(NamedTuple):
    """A complex tensor: its real and its imaginary part."""

    re: Any
    im: Any


class _Unknown(Exception):
    """Something complex that is not translated."""


def real(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """`module` without complex numbers; the same module where there are none, or others than these."""
    if not any(_complex(node) for node in module.graph.nodes):
        return module

    class Rewriting(torch.fx.Transformer):
        def run_node(self, n: torch.fx.Node) -> Any:
            self.node = n
            return super().run_node(n)

        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if not _complex(self.node) and not any(isinstance(one, _Pair) for one in args):
                return super().call_function(target, args, kwargs)
            name = str(target).split(".")[1] if str(target).startswith("aten.") else str(target)
            if name not in _OPERATORS:
                raise _Unknown(name)
            rewrite = _Rewrite(self.node, self._constant, self.fetch_attr)
            return _OPERATORS[name](rewrite, **_bind_arguments(target, args, kwargs))

        def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
            held = self.fetch_attr(target)
            if not held.is_complex():
                return super().get_attr(target, args, kwargs)
            return _Pair(self._constant(held.detach().real), self._constant(held.detach().imag))

        def _constant(self, value: torch.Tensor) -> Any:
            name = f"{self.node.name}_{len(list(self.module.buffers()))}"
            self.module.register_buffer(name, value.contiguous())
            return self.tracer.create_proxy("get_attr", name, (), {})

    # Constants are added to a module that shares the weights of the first.
    copied = torch.fx.GraphModule(module, module.graph)
    try:
        made = Rewriting(copied).transform()
    except _Unknown:
        return module
    made.graph.eliminate_dead_code()
    made.recompile()
    return made.requires_grad_(False).eval()


class _Rewrite(NamedTuple):
    """The node that is rewritten, what makes a constant of the new graph, and what looks at those of the old."""

    node: Any
    constant: Callable[[Any], Any]
    held: Callable[[str], Any]

    def shape(self, place: int = 0) -> list[int]:
        """Of an argument. Raises _Unknown for a dynamic axis."""
        sizes = list(self.node.args[place].meta["val"].shape)
        if not all(isinstance(size, int) for size in sizes):
            raise _Unknown("a dynamic axis")
        return sizes


def _complex(node: Any) -> bool:
    value = node.meta.get("val")
    return bool(getattr(value, "dtype", None) is not None and value.dtype.is_complex)


def _bind_arguments(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by the names of the operator's schema (`x` for its "self"), with its defaults."""
    schema = target._schema.arguments
    defaults = {a.name: a.default_value for a in schema if a.has_default_value()}
    given = dict(zip([_name(argument) for argument in schema], args, strict=False))
    return {**defaults, **given, **kwargs}


def _name(argument: Any) -> str:
    return "x" if argument.name == "self" else str(argument.name)


def _transform(rewrite: _Rewrite, x: Any, n: int | None, dim: int, norm: str | None) -> _Pair:
    """fft, ifft and rfft: a product of an axis with cosines and sines."""
    kind = str(rewrite.node.target).split(".")[1]
    shape = rewrite.shape()
    axis = dim % len(shape)
    size = int(n or shape[axis])
    kept = min(size, shape[axis])
    count = size // 2 + 1 if kind == "fft_rfft" else size
    _check(2 * kept * count)
    inverse = kind == "fft_ifft"
    angle = torch.outer(torch.arange(kept, dtype=torch.float64), torch.arange(count, dtype=torch.float64))
    angle = (angle % size) * (2 * math.pi / size)
    scale = _scale(norm, size, inverse=inverse)
    cos, sin = (
        rewrite.constant((part * scale).float()) for part in (angle.cos(), angle.sin() if inverse else -angle.sin())
    )

    def product(part: Any, matrix: Any) -> Any:
        part = part.narrow(axis, 0, kept) if kept < shape[axis] else part
        return torch.matmul(part.transpose(axis, -1), matrix).transpose(axis, -1)

    if not isinstance(x, _Pair):
        return _Pair(product(x, cos), product(x, sin))
    return _Pair(product(x.re, cos) - product(x.im, sin), product(x.re, sin) + product(x.im, cos))


def _backwards(rewrite: _Rewrite, x: Any, n: int | None, dim: int, norm: str | None) -> Any:
    """irfft: half a spectrum to real values."""
    shape = rewrite.shape()
    axis = dim % len(shape)
    size = int(n or 2 * (shape[axis] - 1))
    kept = min(size // 2 + 1, shape[axis])
    _check(2 * kept * size)
    cos, sin = (rewrite.constant(part) for part in _inverse(kept, size, _scale(norm, size, inverse=True)))
    parts = [
        part.narrow(axis, 0, kept) if kept < shape[axis] else part
        for part in (x if isinstance(x, _Pair) else (x, x * 0.0))
    ]
    re, im = (part.transpose(axis, -1) for part in parts)
    return (torch.matmul(re, cos) + torch.matmul(im, sin)).transpose(axis, -1)


def _inverse(kept: int, size: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrices [frequencies, samples] of a half spectrum, whose other half mirrors it."""
    angle = torch.outer(torch.arange(kept, dtype=torch.float64), torch.arange(size, dtype=torch.float64))
    angle = (angle % size) * (2 * math.pi / size)
    twice = torch.full((kept, 1), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    if size % 2 == 0 and kept == size // 2 + 1:
        twice[-1] = 1.0
    return (twice * angle.cos() * scale).float(), (-twice * angle.sin() * scale).float()


def _windows(
    rewrite: _Rewrite, x: Any, n_fft: int, hop_length: int | None, win_length: int | None, window: Any, **how: Any
) -> _Pair:
    """stft: a convolution with cosines and sines of the window's length."""
    size, step, length = n_fft, hop_length or n_fft // 4, win_length or n_fft
    count = size if how["onesided"] is False else size // 2 + 1
    _check(2 * size * count)
    centred = how.get("center", False)
    if centred and how["pad_mode"] != "reflect":
        raise _Unknown("stft with another padding")
    rank = len(rewrite.node.args[0].meta["val"].shape)
    x = x.unsqueeze(0) if rank == 1 else x
    x = x.unsqueeze(1)
    if centred:
        x = torch.nn.functional.pad(x, (size // 2, size // 2), mode="reflect")
    angle = torch.outer(torch.arange(count, dtype=torch.float64), torch.arange(size, dtype=torch.float64))
    angle = (angle % size) * (2 * math.pi / size)
    scale = size**-0.5 if how["normalized"] else 1.0
    before = (size - length) // 2
    placed = torch.zeros(size, dtype=torch.float64)
    placed[before : before + length] = scale
    waves = torch.cat([angle.cos() * placed, -angle.sin() * placed])[:, None]
    constant = (held := _held_window(rewrite)) is not None
    window = held if constant else window
    if window is not None and length < size:
        window = torch.nn.functional.pad(window, (before, size - length - before))
    kernel = rewrite.constant((waves * window if constant else waves).float())
    if window is not None and not constant:
        kernel = kernel * window
    out = torch.nn.functional.conv1d(x, kernel, stride=step)
    out = out.squeeze(0) if rank == 1 else out
    axis = rank - 1
    return _Pair(out.narrow(axis, 0, count), out.narrow(axis, count, count))


def _held_window(rewrite: _Rewrite) -> Any:
    """The window of a transform where it is a constant of the graph, else None."""
    known = _bind_arguments(rewrite.node.target, rewrite.node.args, rewrite.node.kwargs)["window"]
    constant = known is not None and known.op == "get_attr"
    return rewrite.held(known.target).detach().double() if constant else None


def _overlap_add(
    rewrite: _Rewrite, x: Any, n_fft: int, hop_length: int | None, win_length: int | None, window: Any, **how: Any
) -> Any:
    """istft: a transposed convolution with waves of the window's length, over what its overlaps add up to."""
    shape = rewrite.shape()
    size, step, length = n_fft, hop_length or n_fft // 4, win_length or n_fft
    count, frames = shape[-2:]
    window = torch.ones(length).double() if window is None else _held_window(rewrite)
    if window is None or how["return_complex"] or how["onesided"] is False or count != size // 2 + 1:
        raise _Unknown("istft of both sides, or with a window that is computed")
    _check(2 * size * count)
    before = (size - length) // 2
    window = torch.nn.functional.pad(window, (before, size - length - before))
    scale = size**-0.5 if how["normalized"] else 1 / size
    waves = torch.cat(_inverse(count, size, scale)) * window
    squares = (window * window).expand(frames, size).T[None]
    total = size + step * (frames - 1)
    added = torch.nn.functional.fold(squares, (1, total), (1, size), stride=(1, step)).reshape(total)
    start = size // 2 if how["center"] else 0
    end = total - start if how["length"] is None else start + int(how["length"])
    if end > total:
        raise _Unknown("istft of more samples than its frames have")
    parts = [part.unsqueeze(0) if len(shape) == 2 else part for part in (x if isinstance(x, _Pair) else (x, x * 0.0))]
    kernel = rewrite.constant(waves[:, None].float())
    out = torch.nn.functional.conv_transpose1d(torch.cat(parts, 1), kernel, stride=step).narrow(2, start, end - start)
    out = (out * rewrite.constant((1 / added[start:end]).float())).squeeze(1)
    return out.squeeze(0) if len(shape) == 2 else out


def _scale(norm: str | None, size: int, *, inverse: bool) -> float:
    if norm == "ortho":
        return 1 / math.sqrt(size)
    return 1.0 / size if inverse == (norm in (None, "backward")) else 1.0


def _check(weights: int) -> None:
    if weights > _MOST:
        raise _Unknown("a transform of many samples")


def _times(_rewrite: _Rewrite, x: Any, other: Any) -> _Pair:
    if isinstance(x, _Pair) and isinstance(other, _Pair):
        return _Pair(x.re * other.re - x.im * other.im, x.re * other.im + x.im * other.re)
    pair, number = (x, other) if isinstance(x, _Pair) else (other, x)
    _real_number(number)
    return _Pair(pair.re * number, pair.im * number)


def _over(_rewrite: _Rewrite, x: Any, other: Any) -> _Pair:
    if not isinstance(x, _Pair) or isinstance(other, _Pair):
        raise _Unknown("division by complex numbers")
    _real_number(other)
    return _Pair(x.re / other, x.im / other)


def _sum(rewrite: _Rewrite, x: Any, other: Any, alpha: Any) -> _Pair:
    sign = -alpha if ".sub." in f".{rewrite.node.target}." else alpha
    a, b = (one if isinstance(one, _Pair) else _Pair(one, 0.0) for one in (x, other))
    for part in (a.re, b.re):
        _real_number(part)
    return _Pair(a.re + sign * b.re, a.im + sign * b.im)


def _real_number(value: Any) -> None:
    if isinstance(value, complex):
        raise _Unknown("a complex number")


def _move_values(rewrite: _Rewrite, **rest: Any) -> _Pair:
    """Operators that move values, the first argument's, and compute nothing."""
    held = rest.pop(_name(rewrite.node.target._schema.arguments[0]))
    if isinstance(held, _Pair):
        return _Pair(*(rewrite.node.target(part, **rest) for part in held))
    if not isinstance(held, list | tuple) or not all(isinstance(one, _Pair) for one in held):
        raise _Unknown("complex beside real tensors")
    return _Pair(*(rewrite.node.target([pair[side] for pair in held], **rest) for side in (0, 1)))


_MOVED = (
    *("view", "reshape", "permute", "transpose", "slice", "select", "unsqueeze", "squeeze", "expand", "flatten"),
    *("contiguous", "clone", "cat", "stack", "narrow", "unflatten", "repeat", "flip", "alias", "detach"),
    *("index_select", "movedim", "swapaxes", "t", "resolve_conj", "resolve_neg"),
)
_OPERATORS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("fft_fft", "fft_ifft", "fft_rfft"), _transform),
    **dict.fromkeys(_MOVED, _move_values),
    "fft_irfft": _backwards,
    "stft": _windows,
    "istft": _overlap_add,
    "mul": _times,
    "div": _over,
    "add": _sum,
    "sub": _sum,
    "neg": lambda _rewrite, x: _Pair(-x.re, -x.im),
    "_conj": lambda _rewrite, x: _Pair(x.re, -x.im),
    "conj": lambda _rewrite, x: _Pair(x.re, -x.im),
    "real": lambda _rewrite, x: x.re,
    "imag": lambda _rewrite, x: x.im,
    "abs": lambda _rewrite, x: (x.re * x.re + x.im * x.im).sqrt(),
    "angle": lambda _rewrite, x: torch.atan2(x.im, x.re),
    "view_as_real": lambda _rewrite, x: torch.stack([x.re, x.im], -1),
    "view_as_complex": lambda _rewrite, x: _Pair(x.select(-1, 0), x.select(-1, 1)),
    "complex": lambda _rewrite, real, imag: _Pair(real, imag),
    "polar": lambda _rewrite, abs, angle: _Pair(abs * angle.cos(), abs * angle.sin()),  # noqa: A006
}
