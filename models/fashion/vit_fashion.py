"""vit-fashion: a vision transformer of 127 thousand weights for Fashion-MNIST's ten kinds of clothes (Xiao et al. 2017,
arXiv:1708.07747). Pictures of 28 x 28, bright on black.

edgekit's own weights, trained by `make train` (training/vit_fashion.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import own_file, own_source
from edgekit.models.fashion.pictures import samples
from edgekit.models.fashion.shapes import LABELS, SIDE, vit_parameters, vit_work
from edgekit.numerics import weighing

_GOLDEN, _LICENCE = "fashion/ankle-boot.png", "data/licences/fashion-licence.txt"
#: Bytes of fp32's outputs for the golden input, of its answers, and of hashes of what was judged.
_REFERENCE = 12_000
#: Also what diffusion's pictures are judged by.
WEIGHTS = own_source(
    own_file("vit-fashion.safetensors", "d4f418768aef9abf353062b51ff09e93a10f2b0c47ba149ed1a71cc6c4226c27", 256_908)
)


def _build(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.fashion.vit import classifier

    return classifier(checkpoint.tensors)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _build(checkpoint)  # refuses other weights
    return {
        "height": SIDE,
        "width": SIDE,
        "channels": "RGB",
        "activation": "softmax",
        "labels": list(LABELS),
        "advice": ["It knows clothes that lie alone, bright on black; turn a photograph on white around first."],
    }


_PIXELS = core.TensorSpec("pixels", "uint8", (1, SIDE, SIDE, 3))
_LOGITS = core.TensorSpec("logits", "float32", (1, len(LABELS)))
MODEL = core.Model(
    identity=core.Identity(
        name="vit-fashion",
        family="fashion",
        licence="Apache-2.0",
        licence_text=_LICENCE,
        note="edgekit's own, made by `make train`: to try transformers for vision; ten kinds of clothes",
    ),
    weights=core.Weights(sources=(WEIGHTS,), prepare=_prepare),
    network=core.Network(
        parts=(core.Part("network", (_PIXELS,), (_LOGITS,), {}, _build),), parameters=vit_parameters()
    ),
    task=core.Usage(
        name="image-classification",
        golden=_GOLDEN,
        labels=LABELS,
        evaluation=core.Evaluation("accuracy", worst=0.9, drop=0.01, minimum=200, also=("top-5",)),
        calibration=100,
        evidence=core.Evidence(
            "clothes",
            "MIT",
            "200 pictures of Fashion-MNIST, twenty of each kind: of the training pictures in the first half, of the "
            "test pictures in the second",
            lambda folder: samples(),
        ),
    ),
    costs=weighing.costs((vit_work(),), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
)
