"""Piper's voices (https://github.com/OHF-Voice/piper1-gpl): VITS, fed with phonemes by espeak-ng.

A voice is one small file (see piper_joe.py). Non-goals: voices of several speakers, which Piper's of this size are not
here; phonemes by other means than espeak-ng.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit.common import package_data
from edgekit.common.documents import read_table
from edgekit.core import Axis, Checkpoint, Facts, Identity, Model, Network, Part, Source, TensorSpec, Usage, Weights
from edgekit.errors import BadInput
from edgekit.models.vits.shapes import Shape
from edgekit.numerics import weighing
from edgekit.tasks.text_to_speech.manner import Manner
from edgekit.tasks.text_to_speech.pieces import Alphabet

_GOLDEN = "data/golden/spoken.txt"
#: Most ids and latent frames of a call; frames that are decoded at once, and those on either side that a sample depends
#: on (32 of the flow, 11 of the generator).
_IDS, _FRAMES, _HALO = 512, 512, 48
#: Of fixed shapes: the ids of a call (some ten seconds of speech), and frames.
_FIXED = 256
#: Ids of the golden sentence, and its frames.
_GOLDEN_IDS, _GOLDEN_FRAMES = 59, 129
#: Bytes of what fp32 made of it, with its answers to the evidence and the table of phonemes.
_REFERENCE = 185_000
_LARGEST = 1 << 20
_ADVICE = (
    "Text becomes phonemes by the program espeak-ng (GPL-3.0), which is not in this folder: install it where "
    "`edgekit run` reads texts. An app either links espeak-ng and takes its licence's terms upon itself, or ships the "
    "phonemes of what it says; whatever stands in [[ ]] is taken as phonemes, without espeak-ng."
)


def voice(identity: Identity, shape: Shape, source: Source) -> Model:
    """The declaration of a voice: a source with its .onnx and the .onnx.json beside it."""
    settings = next(file for file in source.files if file.name.endswith(".json"))
    more = package_data.size(_GOLDEN, identity.licence_text) + (settings.size or 0) + _REFERENCE
    works = tuple(replace(work, alone=True) for work in shape.works(_GOLDEN_IDS, _GOLDEN_FRAMES))
    return Model(
        identity=identity,
        weights=Weights(
            sources=(source,),
            assets=(settings.name,),
            prepare=lambda checkpoint, folder: _facts(checkpoint, folder / settings.name, shape),
        ),
        network=Network(parts=_parts(shape), parameters=shape.parameters),
        task=Usage(name="text-to-speech", golden=_GOLDEN, calibration=8),
        costs=weighing.costs(works, more),
    )


def _parts(shape: Shape) -> tuple[Part, ...]:
    floats, text = "float32", ("phonemes",)
    return (
        Part(
            "encoder",
            (
                TensorSpec("phonemes", "int64", (1, *text)),
                TensorSpec("mask", floats, (1, *text)),
                TensorSpec("noise", floats, (1, 2, *text)),
            ),
            (
                TensorSpec("durations", floats, (1, *text)),
                TensorSpec("means", floats, (1, shape.hidden, *text)),
                TensorSpec("deviations", floats, (1, shape.hidden, *text)),
            ),
            {"phonemes": Axis(4, _IDS, 61, fixed=_FIXED)},
            lambda checkpoint: _networks().encoder(checkpoint, shape),
            int8="weights",  # activations in 8 bits move durations by a quarter
        ),
        Part(
            "decoder",
            (TensorSpec("latents", floats, (1, shape.hidden, "frames")), TensorSpec("mask", floats, (1, "frames"))),
            (TensorSpec("audio", floats, (1, "samples")),),
            {"frames": Axis(1, _FRAMES, 97, fixed=_FIXED)},
            lambda checkpoint: _networks().decoder(checkpoint, shape),
            int8="weights",
        ),
    )


def _networks() -> Any:
    from edgekit.models.vits import weights

    return weights


def _facts(checkpoint: Checkpoint, settings: Path, shape: Shape) -> Facts:
    """Raises BadInput for other weights, or for settings that are not such a voice's."""
    _networks().encoder(checkpoint, shape)
    try:
        held = read_table(settings, _LARGEST)
        kind, speakers = held.get("phoneme_type", "espeak"), int(held.get("num_speakers", 1))
        alphabet, spoken = held["phoneme_id_map"], held["inference"]
        Alphabet(alphabet)
        rate, reader = int(held["audio"]["sample_rate"]), str(held["espeak"]["voice"])
        manner = Manner(
            speed=1.0 / float(spoken["length_scale"]),
            noise=float(spoken["noise_scale"]),
            rhythm=float(spoken["noise_w"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as exc:
        raise BadInput(f"{settings.name} is not the settings of a Piper voice: {exc!r}.") from exc
    if kind != "espeak" or speakers != 1:
        raise BadInput(f"{settings.name} is of a voice with {speakers} speakers and phonemes by {kind!r}.")
    return {
        "sample_rate": rate,
        "channels": 1,
        "hop": shape.hop,
        "window": _FRAMES,
        "halo": _HALO,
        "most": _IDS,
        "pause": 0.2,
        "voice": reader,
        "manner": asdict(manner),
        "alphabet": alphabet,
        "advice": [_ADVICE],
    }
