"""Silero VAD 6 (Silero Team 2021, https://github.com/snakers4/silero-vad): whether somebody speaks, every 32 ms.

It streams: 512 new samples at 16 kHz a call, 64 of before, and the state of an LSTM as inputs and outputs.
Non-goal: 8 kHz, for which the package has other weights.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.common import package_data
from edgekit.core import Checkpoint, Evaluation, Facts, Identity, Model, Network, Usage, Weights
from edgekit.models.common.silero.part import FACTS, LICENCE, SOURCE, build, detector
from edgekit.models.common.silero.shapes import RATE, silero_work
from edgekit.numerics import weighing

_PARAMETERS = 309_633
_GOLDEN = "data/golden/jfk.flac"
#: Frames of the golden clip of 11 s; bytes of what fp32 made of it, and of its answers to the evidence.
_FRAMES, _REFERENCE = 344, 22_000
#: The third convolution alone, in 8 bits, moves the LSTM's states by 11 % and a probability by 0.3; all the others
#: together move it by 0.03. So it stays float, in half: 12,288 of 309,633 weights.
_PART = replace(detector("network", build), int8="weights", float_layers=("convolutions.2",))
#: The defaults of the package's get_speech_timestamps.
_RULES = {"threshold": 0.5, "shortest": 0.25, "pause": 0.1, "padding": 0.03}


def _prepare(checkpoint: Checkpoint, folder: Path) -> Facts:
    build(checkpoint)  # refuses other weights
    return {"sample_rate": RATE, "channels": 1, **FACTS, "rules": _RULES}


MODEL = Model(
    identity=Identity(name="silero-vad", family="silero", licence="MIT", licence_text=LICENCE),
    weights=Weights(sources=(SOURCE,), prepare=_prepare),
    network=Network(parts=(_PART,), parameters=_PARAMETERS),
    task=Usage(
        name="voice-activity-detection",
        golden=_GOLDEN,
        calibration=4,
        evaluation=Evaluation("frame-error", worst=0.15, drop=0.005, minimum=20),
    ),
    costs=weighing.costs(silero_work(_FRAMES), package_data.size(_GOLDEN, LICENCE) + _REFERENCE),
)
