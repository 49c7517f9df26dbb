"""MobileNet v1 at a quarter of its width, 96 x 96: is there a person in the picture? (MLPerf Tiny's reference.)

Weights: mlcommons/tiny, benchmark/training/visual_wake_words; trained on COCO's Visual Wake Words (Chowdhery et al.
2019). Laptops and phones get the float network, quantized here; microcontrollers the int8 network that was quantized
there. Accuracy on its own test set, published for int8: 84.6 %; here: not measured (no person labels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.vision.shapes import v1_layers
from edgekit.numerics import weighing
from edgekit.numerics.layers import work

_LABELS = ("no person", "person")
_SIDE = 96
_GOLDEN, _LICENCE = "data/golden/astronaut.png", "data/licences/mlperf-tiny-licence.txt"
_REVISION = "5b2315b3583ea7832617a9e64c4b52cca4699ee4"
_URL = (
    f"https://raw.githubusercontent.com/mlcommons/tiny/{_REVISION}/benchmark/training/visual_wake_words/trained_models"
)
_PARAMETERS = 210_850


def _source(name: str, sha256: str, size: int) -> tuple[core.Source, ...]:
    piece = f"{_URL}/{name}"
    return (core.Source(piece, _REVISION, "Apache-2.0", (core.SourceFile("network.tflite", sha256, size, (piece,)),)),)


def _network(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.vision.networks.mobilenet_v1 import network

    return network(checkpoint)


def _part(pixels: str, scores: str, build: Callable[[core.Checkpoint], Any] | None) -> core.Part:
    image, answer = core.TensorSpec("pixels", pixels, (1, _SIDE, _SIDE, 3)), core.TensorSpec("scores", scores, (1, 2))
    return core.Part("network", (image,), (answer,), {}, build)


_FACTS: core.Facts = {"height": _SIDE, "width": _SIDE, "channels": "RGB", "labels": list(_LABELS)}


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _network(checkpoint)  # refuses other weights
    return _FACTS


#: Layout of the C -> bytes of its firmware, measured: of the weights, what is left once channels that no input changes
#: are gone, and 5 to 8 KB of code; of RAM, the second layer's input and output, and a stack.
_FLASH = {"plain": 47_584, "dsp": 52_296, "helium": 50_552}
_RAM = {"plain": 55_496, "dsp": 55_704, "helium": 56_788}
_WORKS = (work("network", "convolution", v1_layers(len(_LABELS))),)

_MODEL = core.Model(
    identity=core.Identity(name="mobilenet-v1-025-vww", family="vision", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(
        sources=_source(
            "vww_96_float.tflite", "115bbc094d2119561320a21f01b6500a18bea8cc8589282ab007097bec8af38c", 866_284
        ),
        assets=(),
        prepare=_prepare,
    ),
    network=core.Network(parts=(_part("uint8", "float32", _network),), parameters=_PARAMETERS),
    task=core.Usage(
        name="image-classification",
        golden=_GOLDEN,
        labels=_LABELS,
        evaluation=core.Evaluation("accuracy", worst=0.80, drop=0.01, minimum=200),
        calibration=100,
    ),
    costs=weighing.costs(_WORKS, package_data.size(_GOLDEN, _LICENCE)),
)
_READY = replace(
    _MODEL,
    weights=replace(
        _MODEL.weights,
        sources=_source(
            "vww_96_int8.tflite", "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b", 333_288
        ),
        prepare=lambda checkpoint, folder: {**_FACTS, "scale": 1 / 256, "zero_point": -128},
    ),
    network=replace(_MODEL.network, parts=(_part("int8", "int8", None),), parameters=219_730),
    task=replace(_MODEL.task, calibration=0),
)
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"integers": weighing.on_chips(_READY, _FLASH, _RAM)}))
