"""ECAPA-TDNN (Desplanques, Thienpondt and Demuynck 2020, arXiv:2005.07143) in SpeechBrain's layout.

The shape is read from the tensors: how many blocks, how wide, which kernels. Dilations leave no trace in weights; as in
every published SpeechBrain recipe, block i has dilation i + 1, and the aggregation one more where its kernel has more
than one tap.

Notation in shapes: B clips (one), M mel filters, T frames, C channels, A channels that are aggregated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.models.speaker.shapes import EcapaShape

#: Groups of channels in a block (the "scale" of Res2Net).
_SCALE = 8
_EPSILON = 1e-12
#: Larger than any ECAPA-TDNN that was ever published: a checkpoint from outside does not choose our memory.
_MOST_CHANNELS, _MOST_BLOCKS = 4096, 8


class Convolution(nn.Conv1d):
    """A convolution that keeps the number of frames; beyond the ends the clip is mirrored."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, dilation=dilation)
        self._around = dilation * (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        if self._around:
            x = F.pad(x, (self._around, self._around), mode="reflect")
        return F.conv1d(x, self.weight, self.bias, dilation=self.dilation)


class Layer(nn.Module):
    """Convolution, ReLU, batch normalization."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs, kernel, dilation)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(F.relu(self.conv(x)))
        return out


class Res2Net(nn.Module):
    """Groups of channels, each processed together with the output of the group before."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width = channels // _SCALE
        self.blocks = nn.ModuleList(Layer(width, width, kernel, dilation) for _ in range(_SCALE - 1))

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = torch.chunk(x, _SCALE, dim=1)
        out, before = [first], None
        for layer, group in zip(self.blocks, rest, strict=True):
            before = layer(group if before is None else group + before)
            out.append(before)
        return torch.cat(out, dim=1)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Convolution(channels, inner), Convolution(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.sigmoid(self.conv2(F.relu(self.conv1(x.mean(dim=2, keepdim=True)))))
        return scale * x


class Block(nn.Module):
    """SE-Res2Block: [B, C, T] → the same."""

    def __init__(self, channels: int, kernel: int, dilation: int, inner: int) -> None:
        super().__init__()
        self.tdnn1, self.tdnn2 = Layer(channels, channels), Layer(channels, channels)
        self.res2net_block = Res2Net(channels, kernel, dilation)
        self.se_block = SqueezeExcitation(channels, inner)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x)))) + x
        return out


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, weighted by an attention that also knows those of the whole clip.

    forward: [B, A, T] → [B, 2 A, 1].
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        # SpeechBrain's one convolution of x, mean and deviation, as two: the latter do not change with time.
        self.own = nn.Conv1d(channels, inner, 1, bias=False)
        self.whole = nn.Conv1d(2 * channels, inner, 1)
        self.norm = nn.BatchNorm1d(inner)
        self.conv = Convolution(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2, keepdim=True)
        deviation = _root((x - mean).square().mean(dim=2, keepdim=True))
        whole = self.whole(torch.cat([mean, deviation], dim=1))
        inner = self.norm(F.relu(self.own(x) + whole))
        weights = torch.softmax(self.conv(torch.tanh(inner)), dim=2)
        mean = (weights * x).sum(dim=2, keepdim=True)
        deviation = _root((weights * (x - mean).square()).sum(dim=2, keepdim=True))
        return torch.cat([mean, deviation], dim=1)


def _root(variance: Tensor) -> Tensor:
    return torch.sqrt(torch.clamp(variance, min=_EPSILON))


class Ecapa(nn.Module):
    """features float32 [1, M, T] → embedding float32 [1, E] of length 1. Names are SpeechBrain's."""

    def __init__(self, shape: EcapaShape) -> None:
        super().__init__()
        wide, kernels, inner = shape.channels, shape.kernels, shape.squeeze
        self.blocks = nn.ModuleList([Layer(shape.mels, wide, kernels[0])])
        for i, kernel in enumerate(kernels[1:-1], 2):
            self.blocks.append(Block(wide, kernel, i, inner))
        last = len(kernels) if kernels[-1] > 1 else 1
        self.mfa = Layer(wide * (len(kernels) - 2), shape.aggregated, kernels[-1], last)
        self.asp = AttentiveStatistics(shape.aggregated, shape.attention)
        self.asp_bn = nn.BatchNorm1d(2 * shape.aggregated)
        self.fc = Convolution(2 * shape.aggregated, shape.embedding)

    def forward(self, features: Tensor) -> Tensor:
        x, outputs = features, []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        pooled = self.asp_bn(self.asp(self.mfa(torch.cat(outputs[1:], dim=1))))
        embedding: Tensor = self.fc(pooled)[:, :, 0]
        unit: Tensor = embedding / embedding.norm(dim=1, keepdim=True)
        return unit


def shape_of(tensors: Mapping[str, NDArray[Any]]) -> EcapaShape:
    """The shape of the network that `tensors` are the weights of.

    Args:
        tensors: in SpeechBrain's names, with or without the ".conv" and ".norm" that its wrappers add.

    Raises:
        BadInput: they are of another network.
    """

    def sizes(name: str, rank: int) -> tuple[int, ...]:
        tensor = tensors.get(name)
        if tensor is None or len(tensor.shape) != rank:
            raise BadInput(f"the weights lack {name!r}: they are not an ECAPA-TDNN in SpeechBrain's layout.")
        return tuple(int(size) for size in tensor.shape)

    wide, mels, first = sizes("blocks.0.conv.weight", 3)
    count = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    if not 2 <= count <= _MOST_BLOCKS or not 1 <= wide <= _MOST_CHANNELS or wide % _SCALE:
        raise BadInput(f"the weights have {count} blocks of {wide} channels: no ECAPA-TDNN has.")
    inside = [sizes(f"blocks.{i}.res2net_block.blocks.0.conv.weight", 3)[2] for i in range(1, count)]
    aggregated, _, last = sizes("mfa.conv.weight", 3)
    squeeze, attention = sizes("blocks.1.se_block.conv1.weight", 3)[0], sizes("asp.conv.weight", 3)[1]
    shape = EcapaShape(mels, wide, (first, *inside, last), squeeze, aggregated, attention, sizes("fc.weight", 3)[0])
    if any(kernel % 2 == 0 or kernel > 15 for kernel in shape.kernels) or max(shape.aggregated, mels) > 8192:
        raise BadInput(f"the weights have kernels of {shape.kernels} frames: no ECAPA-TDNN has.")
    return shape


def plain(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """`tensors` in the names of `Ecapa`: SpeechBrain's wrappers repeat ``conv`` and ``norm``."""
    renamed = {}
    for name, value in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.count(".") < 2:
            renamed[name] = value
            continue
        for wrapped in ("conv", "norm"):
            name = name.replace(f".{wrapped}.{wrapped}.", f".{wrapped}.")
        *path, last, field = name.split(".")
        outer = last in ("conv", "norm") and path and path[-1] in ("fc", "asp_bn", "conv", "conv1", "conv2")
        renamed[".".join([*path, field] if outer else [*path, last, field])] = value
    return renamed


def _split(weights: Mapping[str, NDArray[Any]], width: int) -> dict[str, NDArray[Any]]:
    """The attention's first layer as `AttentiveStatistics` has it: weights of x, and of mean and deviation."""
    out = {name.replace("asp.tdnn.norm.", "asp.norm."): value for name, value in weights.items()}
    weight, bias = out.pop("asp.tdnn.conv.weight", None), out.pop("asp.tdnn.conv.bias", None)
    if weight is None or bias is None or weight.ndim != 3:
        raise BadInput("the weights lack 'asp.tdnn.conv': they are not an ECAPA-TDNN in SpeechBrain's layout.")
    return {**out, "asp.own.weight": weight[:, :width], "asp.whole.weight": weight[:, width:], "asp.whole.bias": bias}


def network(tensors: Mapping[str, NDArray[Any]]) -> Ecapa:
    """The network with the weights of `tensors` (SpeechBrain's names).

    Raises:
        BadInput: they are of another network, or a tensor has another shape than the others imply.
    """
    weights = plain(tensors)
    module = Ecapa(shape := shape_of(weights))
    weights = _split(weights, shape.aggregated)
    wanted = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    if different := wanted.keys() ^ weights.keys():
        raise BadInput(f"the weights and an ECAPA-TDNN do not agree about {min(different)!r}.")
    for name, value in wanted.items():
        if tuple(weights[name].shape) != tuple(value.shape):
            raise BadInput(f"the weights {name!r} are {list(weights[name].shape)}, not {list(value.shape)}.")
    state = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in weights.items()}
    module.load_state_dict(state, strict=False)
    return module.eval()
