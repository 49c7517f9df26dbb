"""PP-OCRv4, the mobile one (Li et al. 2022, arXiv:2206.03001, and its successors): text in pictures, 6,623 characters,
of which most are Chinese; Latin letters and digits. A detector (DB), a classifier of lines upside down, a recogniser
(SVTR with CTC).

Its recogniser often leaves spaces out between Latin words. Non-goal: perspective; a line is a turned rectangle here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.errors import BadInput
from edgekit.numerics import weighing

_SIDE, _HEIGHT, _WIDTH, _TURN_WIDTH = 736, 48, 320, 192
_STEPS, _CLASSES = _WIDTH // 8, 6_625
_GOLDEN, _LICENCE = "data/golden/lettering.png", "data/licences/ppocr-licence.txt"
_REFERENCE = 30_000
_DETECTOR, _TURN, _RECOGNISER = (
    "ch_PP-OCRv4_det_infer.onnx",
    "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "ch_PP-OCRv4_rec_infer.onnx",
)
_PACKAGE = "pypi://rapidocr-onnxruntime@1.4.4/rapidocr_onnxruntime/models/"
_SOURCE = core.Source(
    uri="pypi://rapidocr-onnxruntime",
    revision="1.4.4",
    licence="Apache-2.0",
    files=tuple(
        core.SourceFile(name, sha256, size, (_PACKAGE + name,))
        for name, sha256, size in (
            (_DETECTOR, "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9", 4_745_517),
            (_TURN, "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c", 585_532),
            (_RECOGNISER, "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b", 10_857_958),
        )
    ),
)


def _build(checkpoint: core.Checkpoint, name: str, size: tuple[int, int], output: tuple[int, ...]) -> Any:
    from edgekit.models.ppocr.networks import network

    return network(checkpoint, name, size, output)


def _part(name: str, file: str, picture: core.TensorSpec, answer: core.TensorSpec) -> core.Part:
    _, height, width, _ = (int(axis) for axis in picture.shape)
    output = tuple(int(axis) for axis in answer.shape[1:])
    return core.Part(name, (picture,), (answer,), {}, partial(_build, name=file, size=(height, width), output=output))


_PARTS = (
    _part(
        "detector",
        _DETECTOR,
        core.TensorSpec("pixels", "uint8", (1, _SIDE, _SIDE, 3)),
        core.TensorSpec("chances", "float32", (1, _SIDE, _SIDE)),
    ),
    _part(
        "turn",
        _TURN,
        core.TensorSpec("line", "uint8", (1, _HEIGHT, _TURN_WIDTH, 3)),
        core.TensorSpec("probabilities", "float32", (1, 2)),
    ),
    _part(
        "recogniser",
        _RECOGNISER,
        core.TensorSpec("line", "uint8", (1, _HEIGHT, _WIDTH, 3)),
        core.TensorSpec("logits", "float32", (1, _STEPS, _CLASSES)),
    ),
)
#: Counted in a run; one picture, and the lines of the golden one.
_WORKS = (
    core.Work(
        "detector",
        "convolution",
        macs=3_044_273_984,
        weights=1_164_320,
        channels=7_561,
        layers=64,
        # By the graph 26 MB at a time; as measured, onnxruntime's layouts and the picture take four times that.
        activations=97_800_000,
        small=11_936,
    ),
    core.Work(
        "turn",
        "convolution",
        macs=16_315_376,
        calls=3,
        weights=124_072,
        channels=3_148,
        layers=54,
        activations=307_200,
        small=25_936,
    ),
    core.Work(
        "recogniser",
        "convolution",
        macs=702_469_440,
        calls=4,
        weights=2_669_672,
        channels=16_669,
        layers=51,
        activations=1_966_080,
        small=4_832,
    ),
)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    from edgekit.models.ppocr.networks import characters

    for part in _PARTS:
        if part.build is not None:
            part.build(checkpoint)  # refuses other weights
    listed = characters(checkpoint, _RECOGNISER)
    if len(listed) != _CLASSES - 1:
        raise BadInput(f"{_RECOGNISER} lists {len(listed) - 1} characters, not {_CLASSES - 2}.")
    return {
        "channels": "RGB",
        "side": _SIDE,
        "lines": {"pixel": 0.3, "line": 0.5, "growth": 1.6, "most": 1000},
        "height": _HEIGHT,
        "width": _WIDTH,
        "turn_width": _TURN_WIDTH,
        "turned": 0.9,
        "least": 0.5,
        "characters": listed,
    }


MODEL = core.Model(
    identity=core.Identity(name="pp-ocr-v4", family="ppocr", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare),
    network=core.Network(
        parts=_PARTS,
        parameters=3_986_162,
        # Choosing the layers that int8 spares takes long: it is made on demand.
        preferred="fp16",
    ),
    task=core.Usage(
        name="image-to-text",
        golden=_GOLDEN,
        calibration=16,
        evaluation=core.Evaluation("cer", worst=0.15, drop=0.01, minimum=20),
    ),
    costs=weighing.costs(_WORKS, package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
)
