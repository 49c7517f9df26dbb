"""A .gguf, or a folder of a language model, that nobody declared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from helpers.cases.gguf_files import llama_file

import edgekit
from edgekit.core import ImportOptions
from edgekit.errors import BadInput, Unsupported
from edgekit.formats import gguf
from edgekit.formats.gguf.described import shape_of_config
from edgekit.importers.resolved import inspect, model_of
from edgekit.llama import library

#: ``model_type`` -> its configuration class in transformers.
CONFIGS = {
    "llama": "LlamaConfig",
    "mistral": "MistralConfig",
    "smollm3": "SmolLM3Config",
    "qwen2": "Qwen2Config",
    "qwen3": "Qwen3Config",
    "gemma3_text": "Gemma3TextConfig",
    "phi3": "Phi3Config",
    "granite": "GraniteConfig",
    "olmo2": "Olmo2Config",
}
SIZES = {
    "hidden_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 704,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "head_dim": 32,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama_file(tmp_path_factory.mktemp("gguf") / "My_Model.gguf")


def test_the_header_says_what_it_is(file: Path) -> None:
    held = inspect(str(file))
    assert (held.architecture, held.tasks) == ("llama", ("text-generation",))
    assert held.parameters == sum(tensor.count for tensor in gguf.read(file).tensors)
    model = model_of(str(file))
    assert model.name == "my-model" and model.network.ready == "gguf"
    fit = edgekit.fit(model, "android")
    assert fit.verdict == "fits"


def test_it_is_exported_as_a_declared_model_is(file: Path, tmp_path: Path) -> None:
    ok, _, remedy = library.state()
    if not ok:
        absent(f"llama.cpp is not here: {remedy}")
    bundle = edgekit.export(str(file), precision="q8_0", out=tmp_path / "bundle", evidence=False)
    size = sum(held.size for held in bundle.manifest.files.values())
    assert size == pytest.approx(model_of(str(file)).costs.size(bundle.manifest.recipe), rel=0.05)
    assert edgekit.export(str(file), precision="q8_0", out=tmp_path / "bundle", evidence=False).reused
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.txt").write_text("the quick brown fox jumps over the lazy dog. " * 60)
    with pytest.raises(edgekit.errors.GateFailed, match="perplexity"):  # random weights know no text
        edgekit.verify(bundle.path, data=text)
    assert edgekit.load(bundle.path).predict("the", raw=True, most=4).details["tokens"] <= 4


def test_what_cannot_be(file: Path, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="text-generation"):
        inspect(str(file), ImportOptions(task="fill-mask"))
    with pytest.raises(BadInput, match="no dynamic axis 'tokens'"):
        model_of(str(file), ImportOptions(axes={"tokens": (1, 4)}))
    with pytest.raises(BadInput, match="there is no file"):
        model_of(str(tmp_path / "nothing.gguf"))
    shard = tmp_path / "big-00001-of-00002.gguf"
    shutil.copy(file, shard)
    with pytest.raises(BadInput, match=r"big-00002-of-00002\.gguf"):
        model_of(str(shard))
    (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:200])
    with pytest.raises(BadInput, match="damaged"):
        model_of(str(tmp_path / "cut.gguf"))


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_settings_tell_the_size(kind: str) -> None:
    """As transformers counts it on the meta device; norms and biases, which a shape leaves out, are few."""
    import torch
    import transformers

    config = getattr(transformers, CONFIGS[kind])(**SIZES)
    with torch.device("meta"):
        network: Any = transformers.AutoModelForCausalLM.from_config(config)
    counted = sum(p.numel() for p in {id(p): p for p in network.parameters()}.values())
    assert shape_of_config(json.loads(config.to_json_string()), "it").parameters == pytest.approx(counted, rel=0.01)


def test_settings_that_tell_nothing() -> None:
    with pytest.raises(Unsupported, match="type 'mamba'"):
        shape_of_config({"model_type": "mamba"}, "it")
    with pytest.raises(BadInput, match="says intermediate_size = None"):
        shape_of_config({"model_type": "llama", **SIZES, "intermediate_size": None}, "it")


def test_a_folder_of_a_language_model(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path / "my-llama"
    folder.mkdir()
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **SIZES}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"model.embed_tokens.weight": np.zeros((4, 4), np.float32)}, folder / "model.safetensors")
    assert inspect(str(folder)).tasks == ("text-generation",)
    model = model_of(str(folder))
    assert model.network.ready == "gguf" and model.network.parameters > 1_000_000
