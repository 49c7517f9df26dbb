"""Sounds: samples in, labels or letters out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core import Axis, ImportOptions, Json, TensorSpec
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.choosing import Choice
from edgekit.importers.hub.kinds.common import axes_of, labels_of, preprocessing_of
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import Repository

_AXIS = "samples"
#: Seconds of a call: least and most of a dynamic axis, and where a format holds none.
_LEAST, _MOST, _FIXED = 0.1, 30.0, 10.0
#: Samples of a frame of Kaldi's filterbank at 16 kHz, and between two.
_FRAME, _HOP = 400, 160


def plan(repository: Repository, choice: Choice, options: ImportOptions) -> Plan:
    """See `edgekit.importers.hub.kinds`.

    Raises:
        Unsupported: it does not state how a sound becomes its input, or in a way that is not known here.
    """
    stated = preprocessing_of(repository, "sound")
    extractor = str(stated.get("feature_extractor_type", ""))
    rate = stated.get("sampling_rate", 16_000)
    if not isinstance(rate, int) or not 1000 <= rate <= 200_000:
        raise BadInput(f"{repository.source} wants sounds at {rate!r} Hz.")
    labels = labels_of(repository.config) if choice.task == "audio-classification" else ()
    facts: dict[str, Json] = {"sample_rate": rate}
    if labels:
        facts |= {"labels": list(labels), "activation": "softmax"}
    else:
        facts |= _letters(repository)
    if extractor == "ASTFeatureExtractor":
        axes_of(options, {})
        return _spectrum(choice, stated, facts, labels)
    if extractor != "Wav2Vec2FeatureExtractor":
        raise Unsupported(
            f"{repository.source} makes its input by {extractor or 'nothing that it names'}; sounds for "
            "Wav2Vec2FeatureExtractor and ASTFeatureExtractor can be made on a device.",
            hint="As arrays in, arrays out: --task tensors",
        )
    facts["normalise"] = bool(stated.get("do_normalize", True))
    return _waveform(choice, options, rate, facts, labels)


def _waveform(
    choice: Choice, options: ImportOptions, rate: int, facts: dict[str, Any], labels: tuple[str, ...]
) -> Plan:
    own = Axis(int(_LEAST * rate), int(_MOST * rate), rate)
    axis = axes_of(options, {_AXIS: own})[_AXIS]
    letters = len(facts.get("vocabulary", ()))

    def part(size: int | str) -> PartPlan:
        frames = "frames" if isinstance(size, str) else "?"
        shape: tuple[int | str, ...] = (1, len(labels)) if labels else (1, frames, letters)
        return PartPlan(
            name="network",
            module="sound",
            inputs=(TensorSpec("input_values", "float32", (1, size)),),
            outputs=(TensorSpec("logits", "float32", shape),),
            axes={_AXIS: axis} if isinstance(size, str) else {},
        )

    fixed = min(axis.most, int(_FIXED * rate))
    bounds = f"{axis.least / rate:g} to {axis.most / rate:g} s a call"
    return Plan(
        *choice,
        "sound",
        (part(_AXIS),),
        () if options.axes else (part(fixed),),
        labels=labels,
        facts={**facts, "most": axis.most, "least": axis.least},
        notes=(f"{bounds}; {fixed / rate:g} s where a format holds no dynamic axis",),
    )


def _spectrum(choice: Choice, stated: Mapping[str, Any], facts: dict[str, Any], labels: tuple[str, ...]) -> Plan:
    frames, mels = int(stated.get("max_length", 1024)), int(stated.get("num_mel_bins", 128))
    if not (1 <= frames <= 8192 and 1 <= mels <= 512) or facts["sample_rate"] != 16_000:
        raise Unsupported(f"a spectrum of {frames} frames of {mels} bands at {facts['sample_rate']} Hz cannot be made.")
    mean, deviation = float(stated.get("mean", -4.2677393)), float(stated.get("std", 4.5689974))
    normalise = bool(stated.get("do_normalize", True))
    samples = (frames - 1) * _HOP + _FRAME
    features = TensorSpec("features", "float32", (1, frames, mels))
    scale = {"offset": mean, "divisor": 2 * deviation} if normalise else {"offset": 0.0, "divisor": 1.0}
    frontend = PartPlan(
        name="frontend",
        module="filterbank",
        inputs=(TensorSpec("audio", "float32", (1, samples)),),
        outputs=(features,),
        settings={"mels": mels, **scale},
        quantize=False,
    )
    logits = TensorSpec("logits", "float32", (1, len(labels)))
    network = PartPlan("network", "sound", (features,), (logits,))
    facts |= {
        "frame": _FRAME,
        "hop": _HOP,
        "silence": -scale["offset"] / scale["divisor"],
        "most": samples,
        "least": _FRAME,
    }
    note = f"sounds of up to {samples / 16_000:.1f} s; a longer one is judged by its beginning"
    return Plan(*choice, "sound", (frontend, network), labels=labels, facts=facts, notes=(note,))


def _letters(repository: Repository) -> dict[str, Json]:
    """The vocabulary of a CTC network (Wav2Vec2CTCTokenizer). Raises Unsupported for another tokenizer."""
    vocabulary = repository.json("vocab.json")
    stated = repository.json("tokenizer_config.json") or {}
    if not isinstance(vocabulary, dict) or not all(isinstance(at, int) for at in vocabulary.values()):
        raise Unsupported(
            f"{repository.source} has no vocab.json with its letters.", hint="As arrays in, arrays out: --task tensors"
        )
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise Unsupported(f"vocab.json of {repository.source} does not number its letters from 0 (several languages?).")

    def token(name: str, default: str) -> str:
        value = stated.get(name, default)
        return str(value.get("content", default)) if isinstance(value, dict) else str(value)

    pad = token("pad_token", "<pad>")
    if pad not in vocabulary:
        raise BadInput(f"vocab.json of {repository.source} lacks {pad!r}, which stands for no letter.")
    return {
        "vocabulary": sorted(vocabulary, key=vocabulary.__getitem__),
        "blank": vocabulary[pad],
        "delimiter": token("word_delimiter_token", "|"),
        "lower": bool(stated.get("do_lower_case", False)),
    }
