"""A classifier of ImageNet's 1000 classes: all of its declaration but the network and where the weights are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.common import package_data
from edgekit.core import Checkpoint, Evaluation, Identity, Model, Network, Part, Source, TensorSpec, Usage, Weights
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
    network: Callable[[Checkpoint], Any],
    *,
    sources: tuple[Source, ...] = (),
    hub: str = "",
    licence_text: str = "data/licences/mobilenet-licence.txt",
    drop: float = 0.02,
    left_rows: int = 0,
) -> Model:
    """The declaration of a network from uint8 pixels to logits.

    Args:
        worst: the least accuracy that is useful. drop: the largest loss of it.
        shape: of its layers. sources, hub: where its weights are, pinned or not.
        left_rows: see `edgekit.core.Work`.
        network: checkpoint -> the torch module; raises BadInput for other weights.
    """

    def prepare(checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
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
    pixels, logits = TensorSpec("pixels", "uint8", (1, SIZE, SIZE, 3)), TensorSpec("logits", "float32", (1, CLASSES))
    more = package_data.size(_GOLDEN, licence_text) + _LABELS + _REFERENCE
    return Model(
        identity=Identity(name=name, family="vision", licence="Apache-2.0", licence_text=licence_text),
        weights=Weights(sources=sources, hub=hub, assets=(), prepare=prepare),
        network=Network(parts=(Part("network", (pixels,), (logits,), {}, network),), parameters=parameters),
        task=Usage(
            name="image-classification",
            golden=_GOLDEN,
            labels=labels(),
            evaluation=Evaluation("accuracy", worst=worst, drop=drop, minimum=200, also=("top-5",)),
            calibration=100,
        ),
        costs=weighing.costs(works, more),
    )
