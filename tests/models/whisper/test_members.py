"""Whisper by its settings: the sizes, the heads of alignment, and settings that make no Whisper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys.toy_whisper import ToyWhisper, write_tokenizer

from edgekit.core import ImportOptions
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.families import family_of
from edgekit.importers.hub.repository import open_repository
from edgekit.importers.resolved import inspect, model_of
from edgekit.models.whisper.members import shape_of
from edgekit.models.whisper.shapes import Shape
from edgekit.registry import find, names


def config(**changes: Any) -> dict[str, Any]:
    """The settings of large-v3-turbo."""
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": 1280,
        "encoder_layers": 32,
        "decoder_layers": 4,
        "encoder_attention_heads": 20,
        "decoder_attention_heads": 20,
        "encoder_ffn_dim": 5120,
        "decoder_ffn_dim": 5120,
        "num_mel_bins": 128,
        "vocab_size": 51866,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "activation_function": "gelu",
        "scale_embedding": False,
        **{f"{name}_token_id": 1 for name in ("pad", "bos", "eos", "decoder_start")},
        **changes,
    }


def test_sizes_come_from_the_settings() -> None:
    turbo = shape_of(config(), {})
    assert turbo == Shape(1280, 20, 32, 4, mels=128, vocabulary=51866)
    assert turbo.parameters == pytest.approx(809e6, rel=0.01)
    assert turbo.multilingual and turbo.alignment_heads == ((2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14))
    assert not shape_of(config(vocab_size=51864, num_mel_bins=80), {}).multilingual


def test_heads_of_alignment() -> None:
    """Those that a checkpoint states, else those published for its size, else the upper half of the decoder."""
    assert shape_of(config(), {"alignment_heads": [[3, 1], [0, 19]]}).alignment_heads == ((0, 19), (3, 1))
    distilled = shape_of(config(decoder_layers=2), {})
    assert distilled.alignment_heads == tuple((1, head) for head in range(20))
    for stated in ([[4, 0]], [[0, 20]], [[-1, 0]], [[0]], [["a", "b"]], [], "heads"):
        with pytest.raises(BadInput, match="alignment"):
            shape_of(config(), {"alignment_heads": stated})


@pytest.mark.parametrize("name", ["d_model", "encoder_layers", "decoder_layers", "num_mel_bins", "vocab_size"])
@pytest.mark.parametrize("value", [None, 0, -1, True, 1.5, "6", 10**9])
def test_settings_that_are_no_sizes(name: str, value: Any) -> None:
    with pytest.raises(BadInput, match=name):
        shape_of(config(**{name: value}), {})


@pytest.mark.parametrize(
    "changes",
    [
        {"activation_function": "relu"},
        {"scale_embedding": True},
        {"max_source_positions": 750},
        {"encoder_attention_heads": 10},
        {"decoder_ffn_dim": 4096},
        {"d_model": 1284, "encoder_ffn_dim": 5136, "decoder_ffn_dim": 5136},
    ],
)
def test_functions_that_the_network_does_not_compute(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="this Whisper has"):
        shape_of(config(**changes), {})


@pytest.fixture
def folder(tmp_path: Path, toy_whisper: ToyWhisper) -> Path:
    """A fine-tuned toy as transformers saves it."""
    import safetensors.numpy

    shape = toy_whisper.shape
    sizes = {"d_model": shape.width, "vocab_size": shape.vocabulary, "num_mel_bins": 80}
    sides = {
        f"{side}_{what}": value
        for side in ("encoder", "decoder")
        for what, value in (("layers", 2), ("attention_heads", shape.heads), ("ffn_dim", 4 * shape.width))
    }
    (tmp_path / "config.json").write_text(json.dumps(config(**sizes, **sides)))
    tensors = {f"model.{name}": np.asarray(value) for name, value in toy_whisper.state.items()}
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    write_tokenizer(tmp_path / "tokenizer.json")
    return tmp_path


def test_a_folder_is_declared_as_its_family_is(folder: Path, toy_whisper: ToyWhisper) -> None:
    model = model_of(str(folder))
    assert (model.identity.family, model.task.name) == ("whisper", "automatic-speech-recognition")
    assert [part.name for part in model.network.parts] == ["frontend", "encoder", "decoder", "detector"]
    assert model.network.parameters == toy_whisper.shape.parameters
    described = inspect(str(folder))
    assert described.tasks == ("automatic-speech-recognition",) and described.inputs[0].name == "audio"


def test_another_task_takes_the_ordinary_way(folder: Path) -> None:
    repository = open_repository(str(folder), True, lambda *_: None)
    assert family_of(repository, ImportOptions()) is find("families", "whisper")
    assert family_of(repository, ImportOptions(task="tensors")) is None


def test_every_family_names_a_task_and_its_architectures() -> None:
    for name in names("families"):
        family = find("families", name)
        assert find("tasks", family.usage.name).name == family.usage.name
        assert family.architectures and family.usage.predictor is not None
