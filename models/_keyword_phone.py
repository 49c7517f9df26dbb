"""The declarations of keyword spotters for laptops and phones, made of those for chips.

ds-cnn-kws is quantized by edgekit from its float weights, behind a frontend that is a graph. microWakeWord's networks
come as int8 and stay what they are; what is made for them is the frontend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit.alarms import NOTHING
from edgekit.core import Checkpoint, Evaluation, Model, Part, Recipe, Sample, Source, TensorSpec
from edgekit.errors import BadInput
from edgekit.models._keyword import sounds_below, word_samples
from edgekit.models._keyword_shape import KeywordRules, MfccSettings, MicroSettings, WakewordRules

__all__ = ["float_keyword_model", "operate", "phrases", "ready_wakeword_model"]

#: Bytes of everything but the networks: the frontend's tables, a golden sound, licences, the manifest.
_KEYWORD_SIZE, _WAKEWORD_SIZE = 1_000_000, 500_000
#: Bytes of a parameter with what describes it; int8 ones carry scales and the graph.
_BYTES = {"fp32": 4.2, "fp16": 2.2}
#: Peak RAM of a process with numpy and a runtime (`edgekit bench` of both bundles).
_MEMORY = 120_000_000


def float_keyword_model(chip: Model, sources: tuple[Source, ...], golden: str) -> Model:
    """`chip`, a network of words that comes as int8, for runtimes that take our own int8 of its float weights.

    Args:
        sources: of the float weights. golden: a sound with enough looks to calibrate by, where nobody gives more.
    """
    settings, rules = MfccSettings(), KeywordRules(**_known(chip.parts[0].settings["detector"], KeywordRules))
    labels: tuple[str, ...] = chip.parts[0].settings["detector"]["labels"]
    samples = settings.window + (rules.frames - 1) * settings.step
    window = TensorSpec("window", "float32", (1, rules.frames, settings.features, 1))

    def frontend(checkpoint: Checkpoint) -> Any:
        from edgekit.models._mfcc_graph import MfccGraph

        return MfccGraph(settings)

    def network(checkpoint: Checkpoint) -> Any:
        from edgekit.models._ds_cnn import network

        return network(checkpoint, len(labels))

    facts = {"sample_rate": settings.rate, "channels": 1, "labels": list(labels), "activation": "softmax"}
    facts |= {
        "frontend": asdict(settings),
        "rules": asdict(rules),
        "samples": samples,
        "hop": rules.hop * settings.step,
    }
    return replace(
        chip,
        sources=sources,
        parts=(
            Part(
                "frontend", (TensorSpec("audio", "float32", (1, samples)),), (window,), {}, frontend, False, "frontend"
            ),
            Part(
                "network", (window,), (TensorSpec("logits", "float32", (1, len(labels))),), {}, network, True, "ds-cnn"
            ),
        ),
        prepare=lambda checkpoint, folder: facts,
        samples=lambda folder: word_samples(folder, labels, loose=True),
        golden=golden,
        size=lambda recipe: _KEYWORD_SIZE + round(chip.parameters * _BYTES.get(recipe.precision, 1.4)),
        memory=lambda recipe: _MEMORY,
        evaluation=Evaluation("accuracy", worst=0.90, drop=0.01, minimum=100),
        ladder=(Recipe("onnx", "int8"), Recipe("onnx", "fp16"), Recipe("litert", "int8"), Recipe("litert", "fp16")),
        exporters=("onnx", "litert", "coreml"),
        calibration=100,
        variants={"c": chip},
        operate=operate,
    )


def ready_wakeword_model(chip: Model) -> Model:
    """`chip`, a phrase whose network comes as int8 .tflite, for LiteRT: the same file behind a frontend graph."""
    settings, rules = MicroSettings(), WakewordRules(**_known(chip.parts[0].settings["detector"], WakewordRules))
    samples = settings.window + (rules.stride - 1) * settings.step
    audio, noise = TensorSpec("audio", "float32", (1, samples)), TensorSpec("noise", "float32", (1, settings.features))
    window = TensorSpec("window", "int8", (1, rules.stride, settings.features))

    def frontend(checkpoint: Checkpoint) -> Any:
        from edgekit.models._micro_graph import MicroGraph

        return MicroGraph(settings, rules.stride)

    def network(checkpoint: Checkpoint) -> Any:
        from edgekit.models._litert_reference import LitertReference

        return LitertReference(checkpoint, chip.parts[1])

    def prepare(checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
        return {**chip.prepare(checkpoint, folder), "samples": samples, "hop": rules.stride * settings.step}

    after = TensorSpec("noise_after", "float32", noise.shape)
    return replace(
        chip,
        parts=(
            Part("frontend", (audio, noise), (window, after), {}, frontend, False, "frontend"),
            replace(chip.parts[1], build=network),
        ),
        prepare=prepare,
        samples=lambda folder: phrases(folder, chip.name),
        size=lambda recipe: _WAKEWORD_SIZE + 2 * chip.parameters,
        memory=lambda recipe: _MEMORY,
        exporters=("litert",),
        variants={"c": chip},
        operate=operate,
    )


def _known(settings: Mapping[str, Any], rules: type) -> dict[str, Any]:
    return {name: settings[name] for name in rules.__dataclass_fields__}  # type: ignore[attr-defined]


def operate(scores: Sequence[Any], truths: Sequence[Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """See `edgekit.models._keyword_point`."""
    from edgekit.models import _keyword_point

    return _keyword_point.operate(scores, truths, options)


def phrases(folder: Path, phrase: str) -> Sequence[Sample]:
    """Every sound below `folder`: with the phrase where its own folder is named after it, else without."""
    sounds = sounds_below(folder)
    if not sounds:
        raise BadInput(f"{folder} holds no sound.", hint="See docs/data.md.")
    return [
        Sample(str(path), phrase if _spelt(path.parent.name) == phrase else NOTHING, str(path.relative_to(folder)))
        for path in sounds
    ]


def _spelt(folder: str) -> str:
    return folder.strip("_").lower().replace("_", "-").replace(" ", "-")
