"""Float weights that lie on a grid already, of steps or a palette: what quantizes them after rounds each to itself.

So rounding that makes up for itself (GPTQ, `edgekit.quantization.weights.gptq`) needs nothing of a format, and reaches
convolutions: the inputs of an output position are one row ("im2col"), and a depthwise
convolution is as many small products as it has channels. On EfficientNet-Lite0 rounding to nearest makes nearly all of
the error of int8, and most of that is a shift of every channel's mean (Nagel et al. 2019, arXiv:1906.04721). The shift
goes into the bias; so the Hessian is the covariance of the inputs, and no digit is spent on their mean.

A quantizer takes its scale from the largest weight of an output, or of the layer. That weight therefore stays where it
is. Scales are numbers that float16 has, as the ONNX exporter stores them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgekit.common.lazy import Doubles, Floats, np
from edgekit.quantization.weights.gptq import Grid, check_finite, inverse, run_gptq, shrink_hessian
from edgekit.quantization.weights.palettes import Palette, nearest_values, palettes

#: Rows of inputs that a layer is rounded by: so many times its inputs, within these bounds; of at most so many calls.
_TIMES, _LEAST, _MOST, CALLS = 4, 500, 4000, 64
#: With fewer it is rounded to nearest, as is a layer with more inputs: the Hessians of all layers are held at once.
_FEWEST, _LARGEST = 128, 2048
#: Rows that are held until they are multiplied, which is faster for many of them.
_HELD = 1000
_GRID = Grid(8)


@dataclass(frozen=True)
class Window:
    """What a convolution sees of its input, each as (vertical, horizontal).

    Attributes:
        pads: (top, left, bottom, right).
    """

    size: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)


@dataclass
class Inputs:
    """What is known of the inputs of a layer.

    Attributes:
        window: None for a product. groups: G, which share no inputs. count: rows that were seen.
    """

    window: Window | None = None
    groups: int = 1
    count: int = 0
    _sums: Doubles = field(default_factory=lambda: np.zeros(()))
    _squares: Doubles = field(default_factory=lambda: np.zeros(()))
    _held: list[Floats] = field(default_factory=list)

    def see(self, values: Floats, calls: int) -> None:
        """The input of one of `calls` calls: [..., K] of a product, [n, height, width, channels] of a convolution.

        Raises:
            BadInput: a value is not finite.
        """
        check_finite(values)
        area = int(np.prod(self.window.size)) if self.window else 1
        wanted = min(max(_TIMES * area * values.shape[-1] // self.groups, _LEAST), _MOST)
        self._held.append(self._rows(values, -(-wanted // calls)))
        if sum(rows.shape[1] for rows in self._held) >= _HELD:
            self._add()

    @property
    def mean(self) -> Doubles:
        """[G, K], or 0 where nothing was seen."""
        self._add()
        return self._sums / max(self.count, 1)

    def curvature(self, centred: bool) -> Doubles:
        """The Hessian of the squared error, [G, K, K]: of the inputs, or of how far they are from their mean."""
        self._add()
        if not centred:
            return self._squares
        own: Doubles = self._squares - self.count * self.mean[:, :, None] * self.mean[:, None]
        return own

    def _add(self) -> None:
        if self._held:
            rows = np.concatenate(self._held, axis=1)
            self._held.clear()
            self.count += rows.shape[1]
            self._sums = self._sums + rows.sum(axis=1, dtype=np.float64)
            if rows.shape[2] <= _LARGEST:
                self._squares = self._squares + (rows.swapaxes(1, 2) @ rows)

    def _rows(self, values: Floats, most: int) -> Floats:
        """[G, rows, K], drawn evenly from all positions."""
        rng = np.random.default_rng(0)
        if self.window is None:
            flat = values.reshape(-1, values.shape[-1])
            return flat[None, np.sort(rng.choice(len(flat), min(most, len(flat)), replace=False))]
        window, (top, left, bottom, right) = self.window, self.window.pads
        padded = np.pad(values, ((0, 0), (top, bottom), (left, right), (0, 0)))
        reach = [(size - 1) * by for size, by in zip(window.size, window.dilations, strict=True)]
        ends = [(padded.shape[i + 1] - reach[i] - 1) // window.strides[i] + 1 for i in (0, 1)]
        shape = len(values), *ends
        chosen = np.sort(rng.choice(int(np.prod(shape)), min(most, int(np.prod(shape))), replace=False))
        image, *starts = np.unravel_index(chosen, shape)
        down, across = (
            starts[i][:, None] * window.strides[i] + np.arange(window.size[i]) * window.dilations[i] for i in (0, 1)
        )
        patches = padded[image[:, None, None], down[:, :, None], across[:, None]]
        split = patches.reshape(len(chosen), -1, self.groups, values.shape[-1] // self.groups)
        return np.ascontiguousarray(split.transpose(2, 0, 1, 3)).reshape(self.groups, len(chosen), -1)


@dataclass(frozen=True)
class Snapped:
    """Weights on a grid, as they came: [outputs, ..., inputs of a group]; and what to add to the bias [outputs]."""

    weights: Floats
    shift: Floats


def snap_to_grid(
    weights: Floats, inputs: Inputs, grid: Grid | Palette = _GRID, *, per_channel: bool = True, biased: bool = True
) -> Snapped:
    """Weights [outputs, (height, width,) inputs of a group] on a grid.

    Args:
        grid: steps on both sides of 0 alike, or a palette. per_channel: a scale an output, or one for all; of steps.
        biased: whether a bias takes up what the mean outputs shift.
    """
    outputs = len(weights)
    grouped = weights.reshape(inputs.groups, outputs // inputs.groups, -1).swapaxes(1, 2)
    mean, curvature = np.broadcast_to(inputs.mean, grouped.shape[:2]), None
    if inputs.count >= _FEWEST and grouped.shape[1] <= _LARGEST:
        curvature = inputs.curvature(centred=biased)
        # Of convolutions it is not: mobilenet-v1-025-vww in int8 is 2.0 % away on 100 photographs, and 2.6 % with it.
        curvature = shrink_hessian(curvature, inputs.count) if inputs.window is None else curvature
    snap = _palette(grouped, curvature, grid) if isinstance(grid, Palette) else _steps(grouped, grid, per_channel)
    made = snap((...,), grouped)
    prepared = None if curvature is None else inverse(curvature)
    if curvature is not None and prepared is not None:
        walk = run_gptq(grouped, prepared, snap)
        worse = _losses(walk - grouped, curvature) >= _losses(made - grouped, curvature)
        made = np.where(worse[:, None], made, walk)
    off = np.einsum("gkn,gk->gn", (grouped - made).astype(np.float64), mean)
    return Snapped(np.ascontiguousarray(made.swapaxes(1, 2)).reshape(weights.shape), off.reshape(-1).astype(np.float32))


def _steps(grouped: Floats, grid: Grid, per_channel: bool) -> Callable[[Any, Floats], Floats]:
    """To the nearest step, of weights [G, K, N]. The largest that share a scale stay where they are."""
    sizes, most = np.abs(grouped), (1 << (grid.bits - 1)) - 1
    if grid.block:
        padded = np.zeros((len(sizes), -(-sizes.shape[1] // grid.block), grid.block, sizes.shape[2]), np.float32)
        padded.reshape(len(sizes), -1, sizes.shape[2])[:, : sizes.shape[1]] = sizes
        largest = np.repeat(padded.max(axis=2), grid.block, axis=1)[:, : sizes.shape[1]]
    else:
        largest = sizes.max(axis=1, keepdims=True) if per_channel else sizes.max()
    scales = np.broadcast_to(half(np.asarray(largest, np.float64) / most).astype(np.float32), grouped.shape)
    fixed = sizes == largest

    def snap(at: Any, values: Floats) -> Floats:
        own: Floats = np.rint(np.where(fixed[at], grouped[at], values) / scales[at]).clip(-most, most) * scales[at]
        return own

    return snap


def _palette(grouped: Floats, curvature: Doubles | None, palette: Palette) -> Callable[[Any, Floats], Floats]:
    """To the nearest value of the output's palette, of weights [G, K, N]."""
    groups, count, outputs = grouped.shape
    importance = np.ones((groups, count)) if curvature is None else np.diagonal(curvature, axis1=1, axis2=2)
    flat = grouped.swapaxes(1, 2).reshape(groups * outputs, count)
    books = palettes(flat, np.repeat(importance, outputs, axis=0).astype(np.float32), palette)
    books = books.reshape(groups, outputs, -1)

    def snap(at: Any, values: Floats) -> Floats:
        return nearest_values(values, books if values.ndim == 2 else books[:, None])

    return snap


def _losses(off: Floats, curvature: Doubles) -> Floats:
    """Squared error of every output, [G, N]."""
    losses: Floats = np.einsum("gkn,gkn->gn", off, curvature.astype(np.float32) @ off)
    return losses


def half(scales: Doubles) -> Doubles:
    """The next larger numbers that float16 has; 1 for 0."""
    near = scales.astype(np.float16)
    above = np.nextafter(near, np.float16(np.inf))
    larger: Doubles = np.where(near < scales, above, near).astype(np.float64)
    return np.where(larger == 0, 1.0, larger)
