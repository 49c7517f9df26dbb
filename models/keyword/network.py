"""DS-CNN as MLPerf Tiny has it, as a torch module: a second of MFCC in, logits out.

Zhang et al. 2017, "Hello Edge: Keyword Spotting on Microcontrollers" (arXiv:1711.07128): one convolution, four pairs
that filter every channel by itself and then mix them, an average. Batch normalization is folded into the convolutions.

Weights come as Keras names them, in a .npz or in a SavedModel's variables, or from MLPerf's "float" .tflite, whose
convolutions are stored in 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from edgekit.common.lazy import NDArray, np
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats import tflite
from edgekit.models.common.padding import amounts
from edgekit.models.keyword.shapes import DS_CNN

CHANNELS, PAIRS = DS_CNN
#: Keras's default, which the reference was trained with.
_EPSILON = 1e-3
#: Axes of a kernel as torch has them: of a .tflite's operators, and of Keras's two kinds of convolution.
_AXES = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (0, 1)}
_KERAS_AXES = {"kernel": (3, 2, 0, 1), "depthwise_kernel": (2, 3, 0, 1)}

Array = NDArray[Any]


class Convolution(nn.Module):
    """A convolution with TensorFlow's padding, and a ReLU."""

    def __init__(self, inputs: int, kernel: tuple[int, int], stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, CHANNELS, kernel, stride, groups=groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (high, wide), stride = self.conv.kernel_size, self.conv.stride[0]
        around = (*amounts(int(x.shape[3]), wide, stride), *amounts(int(x.shape[2]), high, stride))
        return F.relu(self.conv(F.pad(x, around) if any(around) else x))


class DsCnn(nn.Module):
    """``window`` float32 [1, frames, features, 1] -> ``logits`` float32 [1, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers = [Convolution(1, (10, 4), stride=2)]
        for _ in range(PAIRS):
            layers += [Convolution(CHANNELS, (3, 3), groups=CHANNELS), Convolution(CHANNELS, (1, 1))]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(CHANNELS, classes)

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        x = self.layers(window.permute(0, 3, 1, 2)).mean((2, 3))
        out: torch.Tensor = self.classifier(x)
        return out


def network(checkpoint: Checkpoint, classes: int) -> DsCnn:
    """The network with the weights of `checkpoint`: Keras's variables or a .tflite of the same layers.

    Raises:
        BadInput: another format, or another network: other layers, shapes or dtypes.
    """
    module = DsCnn(classes)
    layers: list[Any] = [layer.conv for layer in module.layers if isinstance(layer, Convolution)] + [module.classifier]
    stored = (
        _of_tflite(checkpoint) if checkpoint.format == "tflite" else _of_keras(_plain(checkpoint.tensors), len(layers))
    )
    if len(stored) != len(layers):
        raise BadInput(f"the .tflite has {len(stored)} layers with weights; this network has {len(layers)}.")
    for number, (layer, (weights, bias)) in enumerate(zip(layers, stored, strict=True)):
        if weights.shape != tuple(layer.weight.shape) or bias.shape != tuple(layer.bias.shape):
            raise BadInput(
                f"layer {number} has weights {list(weights.shape)} and a bias {list(bias.shape)}; this network has "
                f"{list(layer.weight.shape)} and {list(layer.bias.shape)} there."
            )
        layer.weight, layer.bias = (
            nn.Parameter(torch.from_numpy(np.array(values, np.float32))) for values in (weights, bias)
        )
    return module.eval()


def _of_tflite(checkpoint: Checkpoint) -> list[tuple[Array, Array]]:
    main = tflite.read(checkpoint.path.read_bytes()).subgraphs[0]
    layers = []
    for operator in main.operators:
        if operator.name not in _AXES:
            continue
        weights, bias = (main.tensors[index] for index in operator.inputs[1:3])
        if weights.data is None or bias.data is None or bias.dtype != "float32":
            raise BadInput(
                f"the layer {operator.name} of the .tflite holds no float weights.",
                hint="An int8 network is for microcontrollers: --target cortex-m4. Else give the float network.",
            )
        values = weights.data.astype(np.float32)
        if weights.quantization is not None:  # stored in 8 bits, computed in float
            values = (values - weights.quantization.zero_point[0]) * np.float32(weights.quantization.scale[0])
        axes = _AXES[operator.name]
        layers.append((values.transpose(axes) if values.ndim == len(axes) else values, bias.data))
    return layers


def _plain(tensors: Mapping[str, Array]) -> Mapping[str, Array]:
    """Under the names that a .npz has: a SavedModel says ``layer_with_weights-0`` for ``layer_0``."""
    return {name.replace("layer_with_weights-", "layer_"): tensor for name, tensor in tensors.items()}


def _of_keras(tensors: Mapping[str, Array], count: int) -> list[tuple[Array, Array]]:
    """Layers 0, 2, 4, ... have weights, the odd ones normalize; the classifier is the last."""
    layers = []
    for number in range(0, 2 * (count - 1), 2):
        kind = "depthwise_kernel" if f"layer_{number}/depthwise_kernel" in tensors else "kernel"
        kernel, bias = (_float(tensors, f"layer_{number}/{name}") for name in (kind, "bias"))
        gamma, beta, mean, variance = (
            _float(tensors, f"layer_{number + 1}/{name}")
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        factor = gamma / np.sqrt(variance + _EPSILON)
        if kernel.ndim != 4 or factor.shape != bias.shape or kernel.shape[2 if kind != "kernel" else 3] != bias.size:
            raise BadInput(f"layer_{number} has a {kind} {list(kernel.shape)} and a bias {list(bias.shape)}.")
        weights = kernel.transpose(_KERAS_AXES[kind]) * factor[:, None, None, None]
        layers.append((weights, (bias - mean) * factor + beta))
    last = 2 * (count - 1)
    return [*layers, (_float(tensors, f"layer_{last}/kernel").T, _float(tensors, f"layer_{last}/bias"))]


def _float(tensors: Mapping[str, Array], name: str) -> NDArray[np.float64]:
    value = tensors.get(name)
    if value is None or value.dtype.kind != "f":
        raise BadInput(
            f"the weights hold no float tensor {name!r}, which DS-CNN has.",
            hint="Give a .npz with Keras's names, or MLPerf's float .tflite.",
        )
    return value.astype(np.float64)
