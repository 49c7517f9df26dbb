"""The GE2E speaker encoder of Resemblyzer, 256 numbers (Wan et al. 2018, arXiv:1710.10467): three recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import package_source
from edgekit.models.speaker.pipeline import Ge2eVerifier
from edgekit.models.speaker.shapes import GE2E, N_FFT, SAMPLE_RATE, ge2e_work
from edgekit.numerics import weighing
from edgekit.tasks.audio_speaker_verification import operate

_HIDDEN, _PARAMETERS = 256, 1_423_616
_INSIDE = "model_state."
#: A stretch: 1.6 s; a step: 1 / 1.3 s; the least share of the last stretch that must be sound. All Resemblyzer's.
_FRAMES, _STEP, _COVERAGE = 160, 77, 0.75
_SAMPLES = (_FRAMES - 1) * GE2E.hop + N_FFT
#: A clip's volume is raised to this, in dB of full scale.
_LEVEL = -30.0
#: Stretches that are embedded at once, and at most.
_BATCH, _MOST = 16, 64
_THRESHOLD = 0.758
_GOLDEN, _LICENCE = "data/golden/jfk.flac", "data/licences/ge2e-licence.txt"
#: Stretches of the golden clip of 11 s; bytes of what fp32 made of it.
_GOLDEN_STRETCHES, _REFERENCE = 13, 12_000
_SOURCE = package_source(
    "pypi://Resemblyzer@0.1.4/resemblyzer/pretrained.pt",
    "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    17_090_379,
    "Apache-2.0",
)


def _frontend(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.speaker.frontend import LevelledFrontend

    return LevelledFrontend(GE2E, _LEVEL)


def _network(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.speaker.networks.ge2e import network

    return network({name.removeprefix(_INSIDE): value for name, value in checkpoint.tensors.items()})


_STRETCH = {"frames": _FRAMES, "step": _STEP, "hop": GE2E.hop, "coverage": _COVERAGE, "batch": _BATCH}


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    _network(checkpoint)  # refuses other weights
    return {
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "embedding": _HIDDEN,
        "frontend": {**asdict(GE2E), "level": _LEVEL},
        "stretch": _STRETCH,
        "threshold": {
            "value": _THRESHOLD, "from": "default: at the equal error rate of fp32 on librispeech-test-other",
        },
    }  # fmt: skip


def _prepare_singly(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    return {**_prepare(checkpoint, folder), "stretch": {**_STRETCH, "batch": 1}}


def _parts(stretches: int | str, axes: Mapping[str, core.Axis]) -> tuple[core.Part, ...]:
    audio, loudness = (
        core.TensorSpec("audio", "float32", (stretches, _SAMPLES)),
        core.TensorSpec("loudness", "float32", (1,)),
    )
    features = core.TensorSpec("features", "float32", (stretches, _FRAMES, GE2E.mels))
    embedding = core.TensorSpec("embedding", "float32", (stretches, _HIDDEN))
    return (
        core.Part("frontend", (audio, loudness), (features,), axes, _frontend, quantize=False),
        core.Part("network", (features,), (embedding,), axes, _network),
    )


def _costs(singly: bool) -> core.Costs:
    works = ge2e_work(_HIDDEN, _FRAMES, _GOLDEN_STRETCHES, singly=singly)
    return weighing.costs(works, package_data.size(_GOLDEN, _LICENCE) + _REFERENCE)


_MODEL = core.Model(
    identity=core.Identity(name="ge2e-speaker", family="speaker", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), assets=(), prepare=_prepare),
    network=core.Network(parts=_parts("stretches", {"stretches": core.Axis(1, _MOST, 3)}), parameters=_PARAMETERS),
    task=core.Usage(
        name="audio-speaker-verification",
        predictor=Ge2eVerifier,
        golden=_GOLDEN,
        evaluation=core.Evaluation("eer", worst=0.05, drop=0.003, minimum=500, also=("mindcf",)),
        calibration=16,
        operate=operate,
    ),
    costs=_costs(singly=False),
)
#: One stretch at a time.
_SINGLY = replace(
    _MODEL,
    network=replace(_MODEL.network, parts=_parts(1, {})),
    weights=replace(_MODEL.weights, prepare=_prepare_singly),
)
#: With fixed axes recurrent layers are written out frame by frame. Their first product takes the features, powers
#: without a logarithm, most of them far below a step of the largest: in int8 it alone moves embeddings by half.
_UNROLLED = replace(
    _SINGLY,
    network=replace(
        _SINGLY.network,
        parts=(
            _SINGLY.network.parts[0],
            replace(_SINGLY.network.parts[1], int8="calls", float_layers=("lstm.weight_ih_l0",)),
        ),
    ),
    costs=_costs(singly=True),
)
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"fixed axes": _UNROLLED, "planned axes": _SINGLY}))
