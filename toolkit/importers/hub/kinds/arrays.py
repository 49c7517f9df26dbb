"""Arrays: transformers' own inputs, under its own names, for networks of no task."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.files import cache_folder, make_once
from edgekit.common.lazy import NDArray, np
from edgekit.core import Axis, Evidence, Facts, ImportOptions, Sample, TensorSpec
from edgekit.errors import Unsupported
from edgekit.importers.hub.choosing import Choice
from edgekit.importers.hub.kinds.common import axes_of, side_of
from edgekit.importers.hub.mappings import positions_of
from edgekit.importers.hub.plan import PartPlan, Plan
from edgekit.importers.hub.repository import Repository

#: Tokens of a text, seconds of a sound, of a network that takes any number.
_TOKENS, _SECONDS, _RATE = 128, 10, 16_000
#: Of a decoder: steps per call.
_STEPS = 32


def plan(repository: Repository, choice: Choice, options: ImportOptions) -> Plan:
    """See `edgekit.importers.hub.kinds`; the outputs come with `edgekit.importers.hub.measuring`.

    Raises:
        Unsupported: its inputs cannot be read from its settings. BadInput: an axis that does not exist.
    """
    config = repository.config
    if config.get("is_encoder_decoder") and not choice.built.endswith("EncoderModel"):
        axes_of(options, {})
        parts = _sequences(repository, config)
    else:
        inputs, axes = inputs_of(repository, config)
        chosen = axes_of(options, axes) if options.axes else {}
        pinned = {name: axis.most for name, axis in axes.items() if name not in options.axes}
        shaped = tuple(TensorSpec(i.name, i.dtype, tuple(pinned.get(str(s), s) for s in i.shape)) for i in inputs)
        kept = {name: axis for name, axis in chosen.items() if name not in pinned}
        parts = (PartPlan("network", "arrays", shaped, (), kept),)
    sizes = ", ".join(f"{i.name} {list(i.shape)}" for part in parts for i in part.inputs)
    return Plan(
        choice.task, choice.architecture, choice.built, "arrays", parts, notes=(f"sizes of the inputs: {sizes}",)
    )


def inputs_of(repository: Repository, config: Mapping[str, Any]) -> tuple[tuple[TensorSpec, ...], dict[str, Axis]]:
    """The inputs, and the axes that could be dynamic; their `most` is the size where they are not."""
    kind = str(config.get("model_type"))
    if isinstance(config.get("context_length"), int) and isinstance(config.get("num_input_channels"), int):
        return (TensorSpec("past_values", "float32", (1, config["context_length"], config["num_input_channels"])),), {}
    if kind == "audio-spectrogram-transformer":
        return (TensorSpec("input_values", "float32", (1, int(config["max_length"]), int(config["num_mel_bins"]))),), {}
    if isinstance(config.get("conv_stride"), list) and "feat_extract_norm" in config:
        axis = Axis(_RATE // 10, _SECONDS * _RATE, _RATE)
        return (TensorSpec("input_values", "float32", (1, "samples")),), {"samples": axis}
    size = _sides(repository, config)
    if size and "vocab_size" not in config:
        return (TensorSpec("pixel_values", "float32", (1, int(config.get("num_channels", 3)), *size)),), {}
    if isinstance(config.get("vocab_size"), int):
        most = min(_TOKENS, positions_of(config) or _TOKENS)
        rows = tuple(TensorSpec(name, "int64", (1, "tokens")) for name in ("input_ids", "attention_mask"))
        return rows, {"tokens": Axis(2, most, min(most, 32))}
    raise Unsupported(
        f"what {repository.source} ({kind}) takes cannot be read from its config.json.",
        hint="Bring it in a file of Python, whose examples() say it: edgekit export net.py:build",
    )


def _sides(repository: Repository, config: Facts) -> tuple[int, int] | None:
    stated = repository.json("preprocessor_config.json")
    stated = stated if isinstance(stated, dict) else {}
    cropped = side_of(stated.get("crop_size")) if stated.get("do_center_crop") else None
    return side_of(config.get("image_size")) or cropped or side_of(stated.get("size"))


def _sequences(repository: Repository, config: Mapping[str, Any]) -> tuple[PartPlan, ...]:
    """Encoder and decoder of a network from a sequence to a sequence; the decoder computes all its steps anew."""
    kind = str(config.get("model_type"))
    if kind == "whisper":
        bands, frames = int(config["num_mel_bins"]), 2 * int(config["max_source_positions"])
        inputs: tuple[TensorSpec, ...] = (TensorSpec("input_features", "float32", (1, bands, frames)),)
    elif kind == "moonshine":
        inputs = (TensorSpec("input_values", "float32", (1, _SECONDS * _RATE)),)
    elif isinstance(config.get("vocab_size"), int):
        inputs = tuple(TensorSpec(name, "int64", (1, _TOKENS)) for name in ("input_ids", "attention_mask"))
    else:
        raise Unsupported(f"what {repository.source} ({kind}) takes cannot be read from its config.json.")
    steps = min(_STEPS, int(config.get("max_target_positions") or _STEPS))
    hidden = TensorSpec("encoder_hidden_states", "float32", (1, "?", "?"))
    tokens = TensorSpec("decoder_input_ids", "int64", (1, steps))
    logits = TensorSpec("logits", "float32", (1, steps, int(config["vocab_size"])))
    return (
        PartPlan("encoder", "encoder", inputs, (hidden,)),
        PartPlan("decoder", "decoder", (tokens, hidden), (logits,)),
    )


#: Samples of a set: half of them calibrate.
_COUNT = 32


def golden_noise(plan: Plan, words: int) -> Path:
    """The first sample of noise as a file in the cache."""
    key = hashlib.sha256(msgspec.json.encode((plan.parts, words))).hexdigest()[:32]
    place = cache_folder() / "imports" / f"{key}.npz"
    return make_once(place, lambda fresh: np.savez_compressed(fresh, allow_pickle=False, **dict(noise(plan, words, 0))))


def noise_evidence(plan: Plan, words: int) -> Evidence:
    """Noise of the plan's inputs; a verdict on it is "undecided" at best."""
    return Evidence(
        "noise", "CC0-1.0", "noise, made by edgekit", functools.partial(_samples, plan, words), synthetic=True
    )


def _samples(plan: Plan, words: int, folder: Path) -> Sequence[Sample]:
    return [Sample(noise(plan, words, at), None, f"noise-{at}") for at in range(_COUNT)]


def noise(plan: Plan, words: int, seed: int) -> Mapping[str, NDArray[Any]]:
    """Name -> array of every input that no earlier part makes: normal values, or words below `words`; a mask is ones.

    The same at every call. A dynamic axis has the size of its example.
    """
    random = np.random.default_rng([seed, 17])
    made = {spec.name for part in plan.parts for spec in part.outputs}
    values: dict[str, NDArray[Any]] = {}
    for part in plan.parts:
        for spec in part.inputs:
            if spec.name in made or spec.name in values:
                continue
            shape = [part.axes[a].example if isinstance(a, str) else a for a in spec.shape]
            if spec.dtype.startswith("float"):
                value: NDArray[Any] = random.standard_normal(shape)
            else:
                value = np.ones(shape) if "mask" in spec.name else random.integers(0, max(2, words), shape)
            values[spec.name] = value.astype(spec.dtype)
    return values
