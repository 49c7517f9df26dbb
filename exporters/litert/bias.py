"""Mean outputs of the layers of a .tflite, and shifted biases (see `edgekit.quantization.weights.biases`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.exporters.litert import file
from edgekit.exporters.litert.watch import Watcher
from edgekit.formats import tflite
from edgekit.quantization.samples import subsample_evenly
from edgekit.quantization.weights.biases import CALLS, correct

#: Operators whose mean output is the mean input through the summed weights; and the axes of a kernel's positions.
_POSITIONS = {"CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": ()}


def correct_biases(
    content: bytes,
    make: Callable[[bytes], bytes],
    watcher: Callable[[bytes], Watcher],
    feeds: Sequence[Feeds],
    tell: Callable[[int, int], None],
) -> bytes:
    """The fp32 file `content` with other biases, so that `make` of it is closer to `content` than `make(content)`.

    Args:
        make: quantizes an fp32 file with the same ranges each time. watcher: opens a file.
    """
    chosen = subsample_evenly(feeds, CALLS)
    model = file.parse(content)
    names = [file.text(tensor.name) for tensor in model.subgraphs[0].tensors]
    layers = [
        (name, kind, names[weights], names[int(operator.inputs[0])])
        for name, kind, operator, weights, bias, _ in file.weighted_operators(model)
        if bias >= 0 and kind in _POSITIONS
    ]
    floats = {tensor.name: tensor for tensor in tflite.read(content).subgraphs[0].tensors}
    means = _means(watcher(content), chosen, {source for *_, source in layers})
    wanted = {name: response(_real(floats[weights]), kind, means[source]) for name, kind, weights, source in layers}

    def quantized_means() -> Iterator[tuple[str, NDArray[np.float64]]]:
        for i, (name, kind, weights, source) in enumerate(layers):
            tell(i, len(layers))
            made = make(content)
            # An input of the graph is float outside and has an int8 twin.
            found = _means(watcher(made), chosen, {source, f"{source}_quantized"})
            held = next(t for t in tflite.read(made).subgraphs[0].tensors if t.name == weights)
            mean = response(_real(held), kind, next(iter(found.values()), means[source]))
            if mean is not None:
                yield name, mean

    def shift(layer: str, by: NDArray[np.float64]) -> None:
        nonlocal content
        content = _shift_bias(content, layer, by)

    correct({name: mean for name, mean in wanted.items() if mean is not None}, quantized_means(), shift)
    return content


def _means(watch: Watcher, feeds: Sequence[Feeds], names: set[str]) -> dict[str, NDArray[np.float64]]:
    """Tensor -> mean of every channel (the last axis) over `feeds`."""
    sums: dict[str, NDArray[np.float64]] = {}
    for feed in feeds:
        for name, values in watch.tensors(feed, names):
            sums[name] = sums.get(name, 0.0) + values.reshape(-1, values.shape[-1]).mean(0, dtype=np.float64)
    return {name: total / len(feeds) for name, total in sums.items()}


def _real(tensor: tflite.Tensor) -> NDArray[np.float64]:
    assert tensor.data is not None
    values = tensor.data.astype(np.float64)
    if tensor.dtype != "int8" or tensor.quantization is None:
        return values
    shape = [1] * values.ndim
    shape[tensor.quantization.axis] = len(tensor.quantization.scale)
    real: NDArray[np.float64] = values * np.array(tensor.quantization.scale).reshape(shape)
    return real


def response(weights: NDArray[np.float64], kind: str, mean: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The mean output of every channel, the borders of an image aside; None for a kernel in groups."""
    summed = weights.sum(axis=_POSITIONS[kind])
    if kind == "DEPTHWISE_CONV_2D":
        several, left = divmod(summed.size, mean.size)
        return None if left else summed * np.repeat(mean, several)
    out: NDArray[np.float64] | None = summed @ mean if summed.shape[-1] == mean.size else None
    return out


def _shift_bias(content: bytes, layer: str, by: NDArray[np.float64]) -> bytes:
    """`content` with another bias for `layer`."""
    model = file.parse(content)
    graph = model.subgraphs[0]
    operator, bias = next((op, bias) for name, _, op, _, bias, _ in file.weighted_operators(model) if name == layer)
    values = file.constant(model, graph, bias)
    assert values is not None
    file.store(model, file.own(graph, operator, bias), values + by)
    return file.pack(model)
