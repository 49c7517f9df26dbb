"""The declarations of keyword spotters for laptops and phones, made of those for chips.

ds-cnn-kws is quantized by edgekit from its float weights, behind a frontend that is a graph. microWakeWord's networks
come as int8 and stay what they are; what is made for them is the frontend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit.common import package_data
from edgekit.core import Checkpoint, Evaluation, Facts, Model, Part, Source, TensorSpec
from edgekit.models.keyword import shapes
from edgekit.models.keyword.shapes import KeywordRules, MfccSettings, MicroSettings, WakewordRules
from edgekit.numerics import weighing
from edgekit.tasks.audio_classification.samples import phrases, word_samples

#: Looks at the golden words; bytes of what fp32 made of them, and of a streaming network's first calls.
_LOOKS, _REFERENCE, _CALLS = 41, 4_600, 1_200


def float_keyword_model(chip: Model, sources: tuple[Source, ...], golden: str) -> Model:
    """`chip`, a network of words that comes as int8, for runtimes that take our own int8 of its float weights.

    Args:
        sources: of the float weights. golden: a sound with enough looks to calibrate by, where nobody gives more.
    """
    detector = chip.network.parts[0].settings["detector"]
    settings, rules = MfccSettings(), KeywordRules(**_select_fields(detector, KeywordRules))
    labels: tuple[str, ...] = detector["labels"]
    samples = settings.window + (rules.frames - 1) * settings.step
    window = TensorSpec("window", "float32", (1, rules.frames, settings.features, 1))

    def frontend(checkpoint: Checkpoint) -> Any:
        from edgekit.models.keyword.frontends.mfcc_graph import MfccGraph

        return MfccGraph(settings)

    def network(checkpoint: Checkpoint) -> Any:
        from edgekit.models.keyword.network import network

        return network(checkpoint, len(labels))

    works = shapes.ds_cnn_work(settings, rules.frames, len(labels), _LOOKS)
    more = package_data.size(golden, chip.identity.licence_text) + _REFERENCE
    facts: Facts = {
        "sample_rate": settings.rate, "channels": 1, "labels": list(labels), "activation": "softmax",
        "frontend": asdict(settings), "rules": asdict(rules), "samples": samples, "hop": rules.hop * settings.step,
    }  # fmt: skip
    audio = TensorSpec("audio", "float32", (1, samples))
    logits = TensorSpec("logits", "float32", (1, len(labels)))
    return replace(
        chip,
        weights=replace(chip.weights, sources=sources, prepare=lambda checkpoint, folder: facts),
        network=replace(
            chip.network,
            parts=(
                Part("frontend", (audio,), (window,), {}, frontend, False, "frontend"),
                Part("network", (window,), (logits,), {}, network, True, "ds-cnn"),
            ),
            integers=False,
            variants={"integers": chip},
        ),
        task=replace(
            chip.task,
            samples=lambda folder: word_samples(folder, labels, loose=True),
            golden=golden,
            evaluation=Evaluation("accuracy", worst=0.90, drop=0.01, minimum=100),
            calibration=100,
            operate=operate,
        ),
        costs=weighing.costs(works, more),
    )


def ready_wakeword_model(chip: Model) -> Model:
    """`chip`, a phrase whose network comes as int8 .tflite: the same file behind a frontend graph."""
    detector = chip.network.parts[0].settings["detector"]
    settings, rules = MicroSettings(), WakewordRules(**_select_fields(detector, WakewordRules))
    samples = settings.window + (rules.stride - 1) * settings.step
    audio, noise = TensorSpec("audio", "float32", (1, samples)), TensorSpec("noise", "float32", (1, settings.features))
    window = TensorSpec("window", "int8", (1, rules.stride, settings.features))

    def frontend(checkpoint: Checkpoint) -> Any:
        from edgekit.models.keyword.frontends.micro_graph import MicroGraph

        return MicroGraph(settings, rules.stride)

    def prepare(checkpoint: Checkpoint, folder: Path) -> Facts:
        return {**chip.weights.prepare(checkpoint, folder), "samples": samples, "hop": rules.stride * settings.step}

    held = package_data.size(chip.task.golden)
    more = held + package_data.size(chip.identity.licence_text) + _CALLS

    # The golden sound is a WAV of 16 bits behind a header of 44 bytes.
    size = chip.weights.sources[0].files[0].size or 0
    after = TensorSpec("noise_after", "float32", noise.shape)
    return replace(
        chip,
        network=replace(
            chip.network,
            parts=(
                Part("frontend", (audio, noise), (window, after), {}, frontend, False, "frontend"),
                chip.network.parts[1],
            ),
            ready="tflite",
            integers=False,
            variants={"integers": chip},
        ),
        weights=replace(chip.weights, prepare=prepare),
        task=replace(chip.task, samples=lambda folder: phrases(folder, chip.name), operate=operate),
        costs=weighing.costs(lambda: shapes.micro_work(size, chip.network.parameters, (held - 44) // 2, rules), more),
    )


def _select_fields(settings: Mapping[str, Any], rules: type) -> dict[str, Any]:
    return {name: settings[name] for name in rules.__dataclass_fields__}  # type: ignore[attr-defined]


def operate(scores: Sequence[Any], truths: Sequence[Any], options: Facts) -> Facts:
    """See `edgekit.models.keyword.hearing.operating_point`."""
    from edgekit.models.keyword.hearing import operating_point

    return operating_point.operate(scores, truths, options)
