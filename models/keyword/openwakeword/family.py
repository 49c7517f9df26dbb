"""openWakeWord: a mel spectrogram, Google's speech embedding, and a small network that hears one phrase in it.

Weights: https://github.com/dscripka/openWakeWord (Scripka 2023), as float .tflite files; the embedding is Lin et al.
2020, "Training Keyword Spotters with Limited and Synthesized Speech Data" (arXiv:2002.01322). A model is one small file
(see openwakeword_hey_jarvis.py). Non-goals: training, and chips (an embedding of 1 MB of activations).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.common import package_data
from edgekit.models.keyword.hearing.evidence import phrase_evidence
from edgekit.models.keyword.openwakeword.shapes import EMBEDDING, MELS, OpenRules, OpenSettings, openwakeword_work
from edgekit.models.keyword.phones import operate
from edgekit.numerics import weighing
from edgekit.tasks.audio_classification.samples import phrases

_PACKAGE = "pypi://pyopen-wakeword@1.1.0/pyopen_wakeword/models"
_SHARED = (
    (MELS, "96fa0adccb6e8cf95cb14465409a1a2898ee4a96a85bb9ed3c7eb0e68bf163e8", 1_092_516),
    (EMBEDDING, "c0aea21eb84a4ce90a08c870da41b7a7173b45269e6a3207c71d67c40f3a59d8", 1_330_312),
)
_GOLDEN, _LICENCE = "data/golden/openwakeword-golden.flac", "data/licences/openwakeword-licence.txt"
#: Hops of the golden sound; bytes of what fp32 made of it and of silence.
_CALLS, _REFERENCE = 120, 6_000


def openwakeword_model(phrase: str, file: str, sha256: str, size: int, *, parameters: int) -> core.Model:
    """The declaration of a phrase of openWakeWord.

    Args:
        phrase: the label of its events, with a hyphen between the words.
        file: name of the .tflite of its last network in the package. sha256, size: of that file.
        parameters: of the embedding and the last network.
    """
    shape = OpenSettings()
    works = openwakeword_work(shape, _CALLS)
    files = tuple(core.SourceFile(*entry, (f"{_PACKAGE}/{entry[0]}",)) for entry in (*_SHARED, (file, sha256, size)))
    audio = core.TensorSpec("audio", "float32", (1, shape.samples))
    frames = core.TensorSpec("frames", "float32", (1, shape.step, shape.mels))
    window = core.TensorSpec("window", "float32", (1, shape.frames, shape.mels))
    embedding = core.TensorSpec("embedding", "float32", (1, shape.features))
    embeddings = core.TensorSpec("embeddings", "float32", (1, shape.embeddings, shape.features))
    logits = core.TensorSpec("logits", "float32", (1, 2))
    return core.Model(
        identity=core.Identity(
            name=f"openwakeword-{phrase}", family="openwakeword", licence="Apache-2.0", licence_text=_LICENCE
        ),
        weights=core.Weights(
            sources=(core.Source(_PACKAGE, "1.1.0", "Apache-2.0", files),),
            assets=(),
            prepare=lambda checkpoint, folder: _prepare(checkpoint, phrase, file),
        ),
        network=core.Network(
            parts=(
                core.Part("frontend", (audio,), (frames,), {}, _frontend, quantize=False, kind="frontend"),
                # Its first layer has 216 weights and one channel in; alone in int8 it makes a third of all the error.
                core.Part("embedding", (window,), (embedding,), {}, _embedding, float_layers=("layers.0.conv",)),
                core.Part("head", (embeddings,), (logits,), {}, lambda checkpoint: _head(checkpoint, file)),
            ),
            parameters=parameters,
        ),
        task=core.Usage(
            name="audio-classification",
            predictor=_pipeline,
            golden=_GOLDEN,
            samples=lambda folder: phrases(folder, phrase),
            evaluation=core.Evaluation("frr@fa", worst=0.10, drop=0.02, minimum=100),
            # Of 6 the embedding in onnx was 6.9 % away on other voices, of 20 it is 5.3 %.
            calibration=20,
            evidence=phrase_evidence(phrase, _GOLDEN, end=1.0),
            operate=operate,
        ),
        costs=weighing.costs(works, package_data.size(_GOLDEN, _LICENCE) + _REFERENCE),
    )


def _frontend(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.keyword.openwakeword.networks import frontend

    return frontend(checkpoint)


def _embedding(checkpoint: core.Checkpoint) -> Any:
    from edgekit.models.keyword.openwakeword.networks import embedding

    return embedding(checkpoint)


def _head(checkpoint: core.Checkpoint, file: str) -> Any:
    from edgekit.models.keyword.openwakeword.networks import head

    return head(checkpoint, file)


def _prepare(checkpoint: core.Checkpoint, phrase: str, file: str) -> core.Facts:
    from edgekit.models.keyword.openwakeword.networks import silence

    _head(checkpoint, file)  # refuses other weights
    shape = OpenSettings()
    return {
        "sample_rate": shape.rate, "channels": 1, "labels": [phrase], "samples": shape.samples, "hop": shape.hop,
        "frontend": asdict(shape), "rules": asdict(OpenRules()), "silence": asdict(silence(checkpoint, shape)),
    }  # fmt: skip


def _pipeline(parts: Mapping[str, core.Runner], folder: Path, facts: core.Facts) -> core.Predictor:
    from edgekit.models.keyword.openwakeword.ear import OpenWakewordSpotter

    return OpenWakewordSpotter(parts, facts)
