"""ddpm-fashion: a diffusion network of 364 thousand weights that makes grey pictures of clothes, 28 x 28, in eight
steps (Ho et al. 2020, arXiv:2006.11239, who take a thousand). Trained on Fashion-MNIST.

edgekit's own weights, trained by `make train` (training/ddpm_fashion.py). Whether a format's pictures are fp32's is
judged by the features of vit-fashion, a part that an app does without.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from edgekit.common import package_data
from edgekit.core import Checkpoint, Evidence, Facts, Identity, Model, Network, Part, TensorSpec, Usage, Weights
from edgekit.models.common.own import own_file, own_source
from edgekit.models.fashion.pictures import noises
from edgekit.models.fashion.shapes import SIDE, STEPS, WIDTH, parameters_of, unet_layers, unet_works, vit_parameters
from edgekit.models.fashion.vit_fashion import WEIGHTS
from edgekit.numerics import weighing

_GOLDEN, _LICENCE = "fashion/noise.npz", "data/licences/fashion-licence.txt"
#: Pictures of the golden noise and of the evidence; bytes of what fp32 made of them.
_PICTURES, _NOISES, _REFERENCE = 2, 64, 27_000
_JUDGE, _SHAPE = "vit-fashion", (1, 1, SIDE, SIDE)
_SOURCE = own_source(
    own_file("ddpm-fashion.safetensors", "1f59c8ae7fee2921200a04d622156da050f72cb488182924caeb2f9b3801c628", 733_272)
)


def _network(checkpoint: Checkpoint) -> Any:
    from edgekit.models.fashion.unet import unet

    return unet(checkpoint.tensors)


def _features(checkpoint: Checkpoint) -> Any:
    from edgekit.models.fashion.vit import features

    return features(checkpoint.companions[_JUDGE].tensors)


def _prepare(checkpoint: Checkpoint, folder: Path) -> Facts:
    _network(checkpoint)  # refuses other weights
    turn = math.pi / 2 / STEPS
    return {
        "angles": [step * turn for step in range(STEPS, 0, -1)],
        "turn": turn,
        "advice": [
            "The loop: x is noise of a normal distribution; for each of `angles`, velocity = network(x, angle) and "
            "then x = cos(turn) * x - sin(turn) * velocity. At the end x is the picture, -1 black and 1 white.",
            "The part features judges pictures in `edgekit verify`; an app does without it.",
        ],
    }


_NOISY, _VELOCITY, _PICTURE = (TensorSpec(name, "float32", _SHAPE) for name in ("noisy", "velocity", "picture"))
_VECTOR = TensorSpec("features", "float32", (1, WIDTH))
MODEL = Model(
    identity=Identity(
        name="ddpm-fashion",
        family="fashion",
        licence="Apache-2.0",
        licence_text=_LICENCE,
        note="edgekit's own, made by `make train`: to try diffusion on a device; small grey pictures of clothes",
    ),
    weights=Weights(sources=(_SOURCE,), prepare=_prepare, companions={_JUDGE: WEIGHTS}),
    network=Network(
        parts=(
            Part("network", (_NOISY, TensorSpec("angle", "float32", (1,))), (_VELOCITY,), {}, _network),
            Part("features", (_PICTURE,), (_VECTOR,), {}, _features, quantize=False),
        ),
        parameters=parameters_of(unet_layers()) + vit_parameters(),
    ),
    task=Usage(
        name="unconditional-image-generation",
        golden=_GOLDEN,
        evidence=Evidence(
            "noise",
            "CC0-1.0",
            f"{_NOISES} draws from a normal distribution, what every picture is made of",
            lambda folder: noises(_NOISES, _SHAPE[1:]),
        ),
    ),
    costs=weighing.costs(unet_works(_PICTURES), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
)
