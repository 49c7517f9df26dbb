"""openWakeWord's three networks as torch modules, filled with the constants of their float .tflite files.

The modules compute what the files do, in an order that integers like better: where a file takes a leaky ReLU, a floor
and then the largest of a few, here the floor comes first and the ReLU last. All three never decrease, so nothing
changes, and what is between the products is a limit of their range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import NDArray, np
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats import tflite
from edgekit.models.keyword.openwakeword.ear import Silence
from edgekit.models.keyword.openwakeword.shapes import BINS, EMBEDDING, HOP, MELS, STAGES, TRANSFORM, OpenSettings

Array = NDArray[Any]

#: Samples that an int16 of full scale is; the networks were made for the numbers of 16 bits.
_FULL = 32768.0
_SPECTRUM = ("CONV_2D", "SQUEEZE", "TRANSPOSE", "EXPAND_DIMS", "TRANSPOSE", "MUL")
_MEL_OPERATORS = (
    *("EXPAND_DIMS", "TRANSPOSE", "EXPAND_DIMS", *_SPECTRUM, *_SPECTRUM, "ADD", "BATCH_MATMUL", "MINIMUM", "MAXIMUM"),
    *("LOG", "MUL", "MUL", "MINIMUM", "REDUCE_MAX", "SUB", "MAXIMUM"),
)
_NORM = ("MEAN", "SUB", "MUL", "MEAN", "ADD", "RSQRT", "MUL", "MUL", "ADD")
_FIRST = (
    *("RESHAPE", "FULLY_CONNECTED", *_NORM, "FULLY_CONNECTED", *_NORM, "FULLY_CONNECTED", "LOGISTIC"),
    *("GREATER_EQUAL", "RESHAPE", "IF"),
)
_PRODUCT = ("FULLY_CONNECTED", "ADD")
_SECOND = ("RESHAPE", *_PRODUCT, *_NORM, *_PRODUCT, *_NORM, *_PRODUCT, "LOGISTIC")


class Mels(nn.Module):
    """``audio`` float32 [1, samples] in [-1, 1] -> ``frames`` float32 [1, frames, mels]: decibels / 10 + 2.

    Decibels end 80 below the loudest of the call. Bins that no filter takes and samples where the window is zero are
    left out. The transform is a product with a table, since runtimes on phones have no FFT.

    Args:
        waves: cosines and sines with the window in them, [2 * bins, samples]. filters: [bins, mels].
        floor: the least power. scale: decibels a neper of power. depth: decibels that are kept.
    """

    waves: torch.Tensor
    filters: torch.Tensor

    def __init__(self, waves: Array, filters: Array, floor: float, scale: float, depth: float) -> None:
        super().__init__()
        used, taps = np.flatnonzero(filters.any(axis=1)), np.flatnonzero(waves.any(axis=0))
        self._first, last = int(taps[0]), int(taps[-1]) + 1
        self._after = waves.shape[1] - last
        rows = np.concatenate([used, used + len(filters)])
        self.register_buffer("waves", torch.tensor(waves[rows, None, self._first : last], dtype=torch.float32))
        self.register_buffer("filters", torch.tensor(filters[used], dtype=torch.float32))
        self._floor, self._scale, self._depth = floor, scale, depth

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        # Counted from the end: coremltools does not take a size that is computed.
        heard = audio[:, None, self._first : -self._after if self._after else None] * _FULL
        parts = F.conv1d(heard, self.waves, stride=HOP).transpose(1, 2)
        real, imaginary = parts.chunk(2, dim=2)
        power = (real * real + imaginary * imaginary) @ self.filters
        decibels = torch.log(power.clamp(min=self._floor)) * self._scale
        quietest = decibels.amax((1, 2), keepdim=True) - self._depth
        return torch.maximum(decibels, quietest) / 10 + 2


class Convolution(nn.Module):
    """A convolution with zeros around in mel channels only, a floor, a pool, and a leaky ReLU.

    Args:
        kernel: (time, channel). pool: (time, channel) of which the largest is kept, or None.
        limits: (floor before the ReLU, its slope), or None where the product is the answer.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        pool: tuple[int, int] | None,
        limits: tuple[float, float] | None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=(0, kernel[1] // 2))
        self._pool, self._limits = pool, limits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        if self._limits is None:
            return x
        floor, slope = self._limits
        x = x.clamp(min=floor)
        if self._pool is not None:
            x = F.max_pool2d(x, self._pool)
        return F.leaky_relu(x, slope)


class Embedding(nn.Module):
    """``window`` float32 [1, frames, mels] -> ``embedding`` float32 [1, features].

    Args:
        floor, slope: of the limit behind every convolution but the last: leaky ReLU, then no less than `floor`.
    """

    def __init__(self, floor: float, slope: float) -> None:
        super().__init__()
        layers, width = [], 1
        for channels, kernels, pool in STAGES:
            for i, kernel in enumerate(kernels):
                after = pool if i == len(kernels) - 1 else None
                limits = (floor / slope, slope) if pool else None
                layers.append(Convolution(width, channels, kernel, after, limits))
                width = channels
        self.layers = nn.Sequential(*layers)

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(window[:, None])
        return out.reshape(1, -1)


class _Listener(nn.Sequential):
    def __init__(self, inputs: int, width: int, epsilon: float) -> None:
        super().__init__(
            nn.Linear(inputs, width),
            nn.LayerNorm(width, epsilon),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.LayerNorm(width, epsilon),
            nn.ReLU(),
            nn.Linear(width, 1),
        )


class Head(nn.Module):
    """``embeddings`` float32 [1, looks, features] -> ``logits`` float32 [1, 2]: a listener's, and a checker's.

    The probability is the sigmoid of the first where that is below 0, else of the second (see `probability` in ear.py).
    Both are outputs because the choice between them is no rounding error: a call whose first logit
    is near 0 would otherwise have another answer altogether after any change.
    """

    def __init__(self, inputs: int, widths: tuple[int, int], epsilon: float) -> None:
        super().__init__()
        self.listener, self.checker = (_Listener(inputs, width, epsilon) for width in widths)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        x = embeddings.reshape(1, 1, -1)  # a sequence, of length 1: its products have an int8 form for their weights
        return torch.cat([self.listener(x), self.checker(x)], dim=2).reshape(1, 2)


def frontend(checkpoint: Checkpoint) -> Mels:
    """The spectrogram of `checkpoint`, a folder of .tflite files.

    Raises:
        BadInput: the file is absent, or holds another network.
    """
    main = _file(checkpoint, MELS)[0]
    _check(MELS, main, _MEL_OPERATORS)
    table = (BINS, 1, TRANSFORM, 1)
    constants = _constants(main)
    wanted = [table, (BINS,), table, (BINS,), (BINS, OpenSettings().mels), *[()] * 6]
    _check_shapes(MELS, constants, wanted)
    waves, filters = np.concatenate([constants[0], constants[2]])[:, 0, :, 0], constants[4]
    limit, floor, scale, ten, again, depth = (float(value) for value in constants[5:])
    plain = np.isinf(limit) and np.isinf(again) and floor > 0 and not constants[1].any() and not constants[3].any()
    if not plain or not np.isfinite(waves).all() or not filters.any() or not waves.any():
        raise BadInput(f"{MELS} holds other constants than openWakeWord's spectrogram.", hint=_HINT)
    return Mels(waves, filters, floor, scale * ten, depth).eval()


def embedding(checkpoint: Checkpoint) -> Embedding:
    """The speech embedding of `checkpoint`, a folder of .tflite files.

    Raises:
        BadInput: the file is absent, or holds another network.
    """
    main = _file(checkpoint, EMBEDDING)[0]
    wanted = ["PAD"]
    for _, kernels, pool in STAGES:
        for _ in kernels:
            wanted += ["CONV_2D", "LEAKY_RELU", "MAXIMUM"] if pool else ["CONV_2D"]
        wanted += ["MAX_POOL_2D"] if pool else []
    _check(EMBEDDING, main, wanted)
    slopes = {operator.options["slope"] for operator in main.operators if operator.name == "LEAKY_RELU"}
    floors = {float(value) for value in _constants(main) if value.size == 1}
    if len(slopes) != 1 or len(floors) != 1 or not 0 < min(slopes) <= 1 or not min(floors) < 0:
        raise BadInput(f"{EMBEDDING} has other limits than openWakeWord's embedding.", hint=_HINT)
    module = Embedding(floors.pop(), slopes.pop())
    weights = [value for value in _constants(main) if value.size > 1]
    convolutions = [layer.conv for layer in module.layers if isinstance(layer, Convolution)]
    # TensorFlow's are [outputs, time, channels, inputs].
    shapes = [tuple(layer.weight.shape[axis] for axis in (0, 2, 3, 1)) for layer in convolutions]
    _check_shapes(EMBEDDING, weights, [shape for kernel_shape in shapes for shape in (kernel_shape, kernel_shape[:1])])
    for layer, kernel, bias in zip(convolutions, weights[::2], weights[1::2], strict=True):
        _fill(layer, kernel.transpose(0, 3, 1, 2), bias)
    return module.eval()


def head(checkpoint: Checkpoint, file: str) -> Head:
    """The last network of `checkpoint`, a folder of .tflite files: that in `file`.

    Raises:
        BadInput: the file is absent, or holds another network.
    """
    graphs = _file(checkpoint, file)
    main, shape = graphs[0], OpenSettings()
    _check(file, main, _FIRST)
    branch = main.operators[-1].options
    if len(graphs) != 3 or (branch["then"], branch["else"]) != (2, 1) or graphs[1].operators:
        raise BadInput(f"{file} has other branches than a network that checks the answer of another.", hint=_HINT)
    _check(file, graphs[2], _SECOND)
    constants = _constants(main)
    inputs = shape.embeddings * shape.features
    wide = constants[0].shape[0] if constants and constants[0].ndim == 2 else 0
    narrow = constants[13].shape[0] if len(constants) > 13 and constants[13].ndim == 2 else 0
    wanted = [*_shapes(inputs, wide, True), (), *_shapes(inputs, narrow, False)]
    _check_shapes(file, constants, wanted)
    epsilon = float(constants[2])
    if float(constants[12]) != 0.5 or epsilon <= 0 or float(constants[7]) != epsilon:
        raise BadInput(f"{file} holds other constants than openWakeWord's networks.", hint=_HINT)
    module = Head(inputs, (wide, narrow), epsilon)
    scalars = [value for value in constants[:12] if value.ndim]
    for listener, values in ((module.listener, scalars), (module.checker, constants[13:])):
        layers = [layer for layer in listener if not isinstance(layer, nn.ReLU)]
        for layer, weight, bias in zip(layers, values[::2], values[1::2], strict=True):
            _fill(layer, weight, bias)
    return module.eval()


def silence(checkpoint: Checkpoint, shape: OpenSettings) -> Silence:
    """What the parts give for digital silence, which is taken to have been before a sound: a channel of a frame, and an
    embedding."""
    with torch.inference_mode():
        frames = frontend(checkpoint)(torch.zeros(1, shape.samples))
        quiet = float(frames.mean())
        embedded = embedding(checkpoint)(torch.full((1, shape.frames, shape.mels), quiet))
    return Silence(quiet, [float(value) for value in embedded[0]])


def _shapes(inputs: int, width: int, epsilon: bool) -> list[tuple[int, ...]]:
    """Of the constants of a listener, in the order in which they are used."""
    norm: list[tuple[int, ...]] = [*[()] * epsilon, (width,), (width,)]
    return [(width, inputs), (width,), *norm, (width, width), (width,), *norm, (1, width), (1,)]


_HINT = "Give the folder with openWakeWord's files, as in pyopen_wakeword/models; without --weights they are fetched."


def _file(checkpoint: Checkpoint, name: str) -> tuple[tflite.Subgraph, ...]:
    """The graphs in the file `name` of the checkpoint."""
    if checkpoint.format != "tflites" or name not in checkpoint.files:
        raise BadInput(f"the weights in {checkpoint.path.name} lack {name}, a .tflite file of three.", hint=_HINT)
    return tflite.read((checkpoint.path / name).read_bytes(), dynamic=True).subgraphs


def _check(file: str, graph: tflite.Subgraph, operators: Sequence[str]) -> None:
    names = [operator.name for operator in graph.operators]
    for i, (name, wanted) in enumerate(zip(names, operators, strict=False)):
        if name != wanted:
            raise BadInput(f"operator {i} of {file} is {name}; openWakeWord's has {wanted} there.", hint=_HINT)
    if len(names) != len(operators):
        raise BadInput(f"{file} has {len(names)} operators; openWakeWord's has {len(operators)}.", hint=_HINT)


def _constants(graph: tflite.Subgraph) -> list[Array]:
    """Float constants in the order in which operators take them."""
    tensors = [graph.tensors[index] for operator in graph.operators for index in operator.inputs if index >= 0]
    return [tensor.data for tensor in tensors if tensor.data is not None and tensor.dtype == "float32"]


def _check_shapes(file: str, constants: Sequence[Array], wanted: Sequence[tuple[int, ...]]) -> None:
    shapes = [tuple(value.shape) for value in constants]
    if shapes != [tuple(shape) for shape in wanted]:
        raise BadInput(f"{file} has constants of other shapes than openWakeWord's: {shapes}.", hint=_HINT)
    if not all(np.isfinite(value).all() for value in constants if value.ndim):
        raise BadInput(f"{file} holds weights that are not numbers.", hint=_HINT)


def _fill(layer: Any, weight: Array, bias: Array) -> None:
    layer.weight, layer.bias = (nn.Parameter(torch.from_numpy(np.array(value))) for value in (weight, bias))
