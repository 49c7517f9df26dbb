"""A classifier of ImageNet's 1000 classes: all of its declaration but the network and where the weights are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.vision.shapes import Shape
from edgekit.numerics import weighing
from edgekit.numerics.layers import work

SIZE, RESIZE, CLASSES = 224, 256, 1000
_GOLDEN = "data/golden/espresso.png"
#: Bytes of the names of the classes in a manifest, and of the golden logits.
_LABELS, _REFERENCE = 17_000, 4_000


@cache
def labels() -> tuple[str, ...]:
    """The names of the classes, in order."""
    return tuple(package_data.read("data/imagenet-labels.txt").decode().splitlines())


def declare_model(
    name: str,
    parameters: int,
    worst: float,
    shape: Shape,
    network: Callable[[core.Checkpoint], Any],
    *,
    sources: tuple[core.Source, ...] = (),
    hub: str = "",
    licence_text: str = "data/licences/mobilenet-licence.txt",
    drop: float = 0.02,
    left_rows: int = 0,
) -> core.Model:
    """The declaration of a network from uint8 pixels to logits.

    Args:
        worst: the least accuracy that is useful. drop: the largest loss of it.
        shape: of its layers. sources, hub: where its weights are, pinned or not.
        left_rows: see `edgekit.core.Work`.
        network: checkpoint -> the torch module; raises BadInput for other weights.
    """

    def prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
        network(checkpoint)  # refuses other weights
        return {
            "height": SIZE,
            "width": SIZE,
            "channels": "RGB",
            "resize": {"short_side": RESIZE, "filter": "bicubic", "antialias": True, "crop": "center"},
            "activation": "softmax",
            "labels": list(labels()),
        }

    works = (replace(work("network", "convolution", shape.layers()), left_rows=left_rows),)
    pixels, logits = (
        core.TensorSpec("pixels", "uint8", (1, SIZE, SIZE, 3)),
        core.TensorSpec("logits", "float32", (1, CLASSES)),
    )
    more = package_data.size(_GOLDEN, licence_text) + _LABELS + _REFERENCE
    return core.Model(
        identity=core.Identity(name=name, family="vision", licence="Apache-2.0", licence_text=licence_text),
        weights=core.Weights(sources=sources, hub=hub, assets=(), prepare=prepare),
        network=core.Network(parts=(core.Part("network", (pixels,), (logits,), {}, network),), parameters=parameters),
        task=core.Usage(
            name="image-classification",
            golden=_GOLDEN,
            labels=labels(),
            evaluation=core.Evaluation("accuracy", worst=worst, drop=drop, minimum=200, also=("top-5",)),
            calibration=100,
        ),
        costs=weighing.costs(works, more),
    )
