"""Keyword spotting for microcontrollers: two families, each a frontend and a ready int8 network.

- ds-cnn-kws, MLPerf Tiny's reference for ten words: MFCC of one second, computed several times a second.
- microWakeWord: the micro frontend, and a streaming network that keeps its state and hears one phrase.

A model is one small file (see ds_cnn_kws.py) or a table of models/aliases.toml. Non-goals: training, and networks
that are not int8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit import core
from edgekit.errors import BadInput
from edgekit.models.keyword.hearing.evidence import phrase_evidence, word_evidence
from edgekit.models.keyword.shapes import KeywordRules, MfccSettings, MicroSettings, WakewordRules
from edgekit.numerics import weighing
from edgekit.tasks.audio_classification.samples import sounds

_HOUR = 3600 * 16_000
#: microWakeWord's networks, as this package distributes them.
_WAKEWORDS = "pypi://pymicro-wakeword@2.5.0"

_Settings = MfccSettings | MicroSettings


def keyword_model(
    name: str,
    labels: tuple[str, ...],
    sources: tuple[core.Source, ...],
    *,
    parameters: int,
    flash: Mapping[str, int],
    ram: Mapping[str, int],
) -> core.Model:
    """The declaration of a network that tells words apart in one second of MFCC.

    Args:
        labels: of its classes, the words first, then silence and unknown.
        parameters: of the network. flash, ram: layout of the C -> bytes that its firmware takes, measured.
    """
    settings, rules = MfccSettings(), KeywordRules(words=len(labels) - 2)
    detector = {"kind": "keyword", "labels": labels, "tables": lambda: {"levels": _mfcc().levels(settings)}}
    frontend = _frontend(
        "mfcc",
        settings,
        lambda checkpoint: _mfcc().Mfcc(settings),
        lambda: _mfcc().tables(settings),
        {**asdict(rules), **detector},
    )
    window = core.TensorSpec("window", "int8", (1, rules.frames, settings.features, 1))
    scores = core.TensorSpec("scores", "int8", (1, len(labels)))
    model = core.Model(
        identity=core.Identity(
            name=name, family="keyword", licence="Apache-2.0", licence_text="data/licences/mlperf-tiny-licence.txt"
        ),
        weights=_weights(sources, labels, settings, rules),
        network=core.Network(
            parts=(frontend, core.Part("network", (window,), (scores,), {}, None)), parameters=parameters
        ),
        task=core.Usage(
            name="audio-classification",
            predictor=_keyword_pipeline,
            golden="data/golden/golden-yes.wav",
            labels=labels,
            evidence=word_evidence("data/golden/golden-words.flac", words=10, seconds=1.02),
            evaluation=core.Evaluation("accuracy", worst=0.90, drop=0.005, minimum=100),
        ),
        costs=weighing.costs(()),
    )
    return weighing.on_chips(model, flash, ram)


def wakeword_model(
    name: str,
    file: str,
    sha256: str,
    size: int,
    *,
    cutoff: float,
    parameters: int,
    flash: Mapping[str, int],
    ram: Mapping[str, int],
) -> core.Model:
    """The declaration of one of microWakeWord's phrases.

    Args:
        name: with a hyphen between the words; also the label of its events.
        file: name of its .tflite in the package. sha256, size: of that file.
        cutoff: the mean probability that must be exceeded, from the JSON beside it.
        parameters: of the network. flash, ram: layout of the C -> bytes that its firmware takes, measured.
    """
    settings, rules = MicroSettings(), WakewordRules(cutoff)
    piece = f"{_WAKEWORDS}/pymicro_wakeword/models/{file}"
    source = core.Source(piece, "2.5.0", "Apache-2.0", (core.SourceFile("network.tflite", sha256, size, (piece,)),))
    frontend = _frontend(
        "micro-frontend",
        settings,
        lambda checkpoint: _micro_frontend().MicroFrontend(settings),
        lambda: _micro_frontend().tables(settings),
        {**asdict(rules), "kind": "wakeword", "labels": (name,), "limit": rules.limit},
    )
    window = core.TensorSpec("window", "int8", (1, rules.stride, settings.features))
    probability = core.TensorSpec("probability", "uint8", (1, 1))
    model = core.Model(
        identity=core.Identity(
            name=name, family="keyword", licence="Apache-2.0", licence_text="data/licences/microwakeword-licence.txt"
        ),
        weights=_weights((source,), (name,), settings, rules),
        network=core.Network(
            parts=(frontend, core.Part("network", (window,), (probability,), {}, None)), parameters=parameters
        ),
        task=core.Usage(
            name="audio-classification",
            predictor=_wakeword_pipeline,
            golden=f"data/golden/golden-{name}.wav",
            samples=sounds,
            evidence=phrase_evidence(name, f"data/golden/golden-{name}.wav"),
        ),
        costs=weighing.costs(()),
    )
    return weighing.on_chips(model, flash, ram)


def _frontend(
    kind: str, settings: _Settings, build: Callable[[core.Checkpoint], Any], tables: Callable[[], Any], detector: Any
) -> core.Part:
    """From samples to features: `tables` and the settings of its `detector` are for its C."""
    return core.Part(
        "frontend",
        (core.TensorSpec("audio", "int16", ("samples",)),),
        (core.TensorSpec("features", "int8", ("frames", settings.features)),),
        {"samples": core.Axis(settings.window, _HOUR, settings.rate)},
        build,
        quantize=False,
        kind=kind,
        settings={**asdict(settings), "tables": tables, "detector": detector},
    )


def _weights(
    sources: tuple[core.Source, ...], labels: tuple[str, ...], settings: _Settings, rules: KeywordRules | WakewordRules
) -> core.Weights:
    def prepare(checkpoint: core.Checkpoint, folder: Path) -> core.Facts:
        _check_quantization(checkpoint, settings)
        sound: core.Facts = {"sample_rate": settings.rate, "channels": 1, "labels": list(labels)}
        return {**sound, "frontend": asdict(settings), "rules": asdict(rules)}

    return core.Weights(sources=sources, assets=(), prepare=prepare)


def _mfcc() -> Any:
    from edgekit.models.keyword.frontends import mfcc

    return mfcc


def _micro_frontend() -> Any:
    from edgekit.models.keyword.frontends import micro

    return micro


def _check_quantization(checkpoint: core.Checkpoint, settings: _Settings) -> None:
    """The frontend's features are quantized as the network expects them, or they mean something else to it."""
    from edgekit.formats import tflite

    if checkpoint.format != "tflite":
        raise BadInput(
            f"{checkpoint.path.name} is not a .tflite; keyword spotters are ready int8 networks.",
            hint="Give a .tflite: --weights FILE.tflite",
        )
    graph = tflite.read(checkpoint.path.read_bytes()).subgraphs[0]
    if graph.inputs and graph.tensors[graph.inputs[0]].dtype != "int8":
        dtype = graph.tensors[graph.inputs[0]].dtype
        raise BadInput(
            f"{checkpoint.path.name} takes {dtype}; the frontend gives int8 features.",
            hint="Quantize the network to int8, its inputs and outputs too, and give that: --weights FILE.tflite",
        )
    quantization = graph.tensors[graph.inputs[0]].quantization if graph.inputs else None
    wanted = (settings.scale, settings.zero_point)
    if quantization is None or (quantization.scale[0], quantization.zero_point[0]) != wanted:
        have = "none" if quantization is None else f"{quantization.scale[0]:.9g} and {quantization.zero_point[0]}"
        raise BadInput(
            f"the features of this network have another quantization ({have}) than its frontend gives "
            f"({wanted[0]:.9g} and {wanted[1]})."
        )


def _keyword_pipeline(parts: Mapping[str, core.Runner], folder: Path, facts: core.Facts) -> core.Predictor:
    from edgekit.models.keyword.hearing.pipeline import KeywordSpotter

    return KeywordSpotter(parts, facts)


def _wakeword_pipeline(parts: Mapping[str, core.Runner], folder: Path, facts: core.Facts) -> core.Predictor:
    from edgekit.models.keyword.hearing.pipeline import WakewordSpotter

    return WakewordSpotter(parts, facts)
