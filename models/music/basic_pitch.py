"""Basic Pitch (Bittner et al. 2022, arXiv:2203.09893): which notes are played, by any instruments.

Its weights are 36,037 numbers, of which the constant-Q transform in front has half. The package's pitch bends are not
made. Non-goal: telling instruments apart, which the network does not do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.common.own import package_source
from edgekit.models.music.shapes import FRAME, KEYS, MOMENTS, OVERLAP, PER_SECOND, RATE, WINDOW, pitch_work
from edgekit.numerics import weighing

_PARAMETERS = 36_037
_GOLDEN, _LICENCE = "data/golden/golden-tune.flac", "data/licences/basic-pitch-licence.txt"
#: Windows of the golden tune; bytes of what fp32 made of it, and of its answers to the evidence.
_WINDOWS, _REFERENCE = 4, 33_500
_SOURCE = package_source(
    "pypi://basic-pitch@0.4.0/basic_pitch/saved_models/icassp_2022/nmp.onnx",
    "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
    230_444,
    "Apache-2.0",
)
#: MIDI's number of the lowest key of a piano, 27.5 Hz.
_LOWEST = 21
#: A window's frames last less than they count, and the package found this much more by trial.
_DRIFT = (FRAME / RATE) * (MOMENTS - WINDOW / FRAME) + 0.0018


def _build(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.music.network import network

    return network(checkpoint)


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    return {
        "sample_rate": RATE,
        "channels": 1,
        "window": WINDOW,
        "overlap": OVERLAP,
        "frame": FRAME,
        "frames_per_second": PER_SECOND,
        "lowest": _LOWEST,
        "drift": {"frames": MOMENTS, "seconds": _DRIFT},
        "rules": {"onset": 0.5, "frame": 0.3, "shortest": 11, "tolerance": 11},
    }


_AUDIO = core.TensorSpec("audio", "float32", (1, WINDOW, 1))
_NOTE, _ONSET = (core.TensorSpec(name, "float32", (1, MOMENTS, KEYS)) for name in ("note", "onset"))
MODEL = core.Model(
    identity=core.Identity(name="basic-pitch", family="music", licence="Apache-2.0", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), prepare=_prepare),
    network=core.Network(
        parts=(
            # 144 kB of weights: nothing to gain. In 8 bits activations are 13 % away, in half precision 2.4 %.
            core.Part("network", (_AUDIO,), (_NOTE, _ONSET), {}, _build, quantize=False),
        ),
        parameters=_PARAMETERS,
    ),
    task=core.Usage(
        name="automatic-music-transcription",
        golden=_GOLDEN,
        calibration=12,
        evaluation=core.Evaluation("onset-f1", worst=0.5, drop=0.01, minimum=20),
    ),
    costs=weighing.costs(pitch_work(_WINDOWS), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
)
