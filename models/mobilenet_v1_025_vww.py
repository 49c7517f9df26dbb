"""MobileNet v1 at a quarter of its width, 96 x 96: is there a person in the picture? (MLPerf Tiny's reference, int8.)

Weights: mlcommons/tiny, benchmark/training/visual_wake_words, quantized there; trained on COCO's Visual Wake Words
(Chowdhery et al. 2019). Accuracy on its own test set, published: 84.6 %; here: not measured (no person labels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_LABELS = ("no person", "person")
_SHA256, _SIZE = "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b", 333_288
_REVISION = "5b2315b3583ea7832617a9e64c4b52cca4699ee4"
_URL = (
    f"https://raw.githubusercontent.com/mlcommons/tiny/{_REVISION}/benchmark/training/visual_wake_words/trained_models/"
    "vww_96_int8.tflite"
)
#: The published file, and a checkout of it beside this project's own.
_SOURCES = tuple(
    Source(piece, _REVISION, "Apache-2.0", (SourceFile("network.tflite", _SHA256, _SIZE, (piece,)),))
    for piece in ("../shared/models/mlperf-tiny/vww_96_int8.tflite", _URL)
)


def _reference(checkpoint: Checkpoint) -> Runner:
    from edgekit.reference import tflite

    return tflite(checkpoint, _NETWORK)


_NETWORK = Part(
    "network",
    (TensorSpec("pixels", "int8", (1, 96, 96, 3)),),
    (TensorSpec("scores", "int8", (1, 2)),),
    {},
    _reference,
)


def _prepare(checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
    return {"height": 96, "width": 96, "channels": "RGB", "labels": list(_LABELS), "scale": 1 / 256, "zero_point": -128}


def _pipeline(parts: Mapping[str, Runner], folder: Path, facts: Mapping[str, Any]) -> Predictor:
    from edgekit.models._vision import Classifier

    return Classifier(parts, folder, facts)


def _samples(folder: Path) -> Sequence[Sample]:
    from edgekit.models._vision import samples

    return samples(folder, _LABELS)


def _size(recipe: Recipe) -> int:
    """Flash: what is left of the weights once channels that no input changes are gone, and about 10 KB of code."""
    return 57_000


def _memory(recipe: Recipe) -> int:
    """RAM: the second layer's input and output, and a stack."""
    return 58_000


MODEL = Model(
    name="mobilenet-v1-025-vww",
    family="vision",
    task="image-classification",
    licence="Apache-2.0",
    sources=_SOURCES,
    parts=(_NETWORK,),
    parameters=219_730,
    pipeline=_pipeline,
    assets=(),
    prepare=_prepare,
    licence_text="data/mlperf-tiny-licence.txt",
    golden="data/astronaut.png",
    samples=_samples,
    size=_size,
    memory=_memory,
    # MLPerf Tiny's quality target for this task is 80 % (Banbury et al. 2021, "MLPerf Tiny Benchmark").
    evaluation=Evaluation("accuracy", worst=0.80, drop=0.01, minimum=200),
    exporters=("c",),
)
