"""Shapes of the networks for Fashion-MNIST, without torch, and what their pictures show."""

from __future__ import annotations

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

#: Pixels of a side, and the classes in the data's order.
SIDE = 28
LABELS = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
#: The vision transformer: channels of its first convolution, tokens of a picture, their width, layers and heads, and
#: the width between the two products of a layer.
STEM, TOKENS, WIDTH, DEPTH, HEADS, FEED = 32, (SIDE // 4) ** 2, 64, 2, 2, 128
#: The diffusion network: channels at 14 x 14 and at 7 x 7; blocks on the way down, in the middle and on the way up;
#: numbers that describe an angle, and their inner width; steps from noise to picture.
UNET, BLOCKS, ANGLES, TOPS, STEPS = (32, 64), (2, 3, 2), 16, 64, 8


def vit_layers() -> list[Layer]:
    """Every product of the vision transformer but those of two activations."""
    half = (SIDE // 2) ** 2
    layers = [convolution(1, STEM, 9, half, before=SIDE * SIDE), convolution(STEM, WIDTH, 9, TOKENS, before=half)]
    layers.append(convolution(WIDTH, WIDTH, 9, TOKENS))
    for _ in range(DEPTH):
        layers += [linear(WIDTH, WIDTH, TOKENS)] * 4
        layers += [linear(WIDTH, FEED, TOKENS), linear(FEED, WIDTH, TOKENS)]
    return [*layers, linear(WIDTH, len(LABELS))]


def parameters_of(layers: list[Layer]) -> int:
    """Weights and biases."""
    return sum(layer.weights + layer.outputs for layer in layers)


#: Places of the tokens, and the scales and shifts of its normalisations.
_TABLES = TOKENS * WIDTH + (2 * DEPTH + 1) * 2 * WIDTH


def vit_parameters() -> int:
    """Of the vision transformer."""
    return parameters_of(vit_layers()) + _TABLES


def vit_work(part: str = "network", calls: float = 1, *, quantized: bool = True) -> Work:
    """Work of the vision transformer on a picture."""
    products = 2 * DEPTH * TOKENS * TOKENS * WIDTH
    layers = vit_layers()
    return work(part, "attention", layers, calls, tables=_TABLES, macs=products, quantized=quantized)


def unet_layers() -> list[Layer]:
    """Every product of the diffusion network."""
    (wide, deep), large, small = UNET, (SIDE // 2) ** 2, (SIDE // 4) ** 2

    def blocks(count: int, width: int, area: int) -> list[Layer]:
        return [*[convolution(width, width, 9, area)] * 2, linear(TOPS, width)] * count

    layers = [linear(ANGLES, TOPS), convolution(1, wide, 16, large, before=SIDE * SIDE)]
    layers += blocks(BLOCKS[0], wide, large)
    layers += [convolution(wide, deep, 9, small, before=large), *blocks(BLOCKS[1], deep, small)]
    layers += [convolution(deep, 4 * wide, 1, small), convolution(2 * wide, wide, 9, large)]
    return [*layers, *blocks(BLOCKS[2], wide, large), convolution(wide, 4, 9, large)]


def unet_works(pictures: int) -> tuple[Work, ...]:
    """Work of so many pictures, in order: the diffusion network, and the features of what came out."""
    network = work("network", "convolution", unet_layers(), pictures * STEPS)
    return network, vit_work("features", pictures, quantized=False)
