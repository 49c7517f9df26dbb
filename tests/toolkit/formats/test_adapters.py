"""LoRA adapters: merged weights compute what base and adapter compute side by side; what is no adapter of this base."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgekit.errors import BadInput, Unsupported
from edgekit.formats.adapters import merge_adapter, read_adapter

LAYERS = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj")
SHAPES = {LAYERS[0]: (64, 64), LAYERS[1]: (64, 96)}


def drawn(folder: Path, shapes: Any = SHAPES, rank: int = 4, **settings: Any) -> Path:
    """An adapter of random matrices, as PEFT writes it."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True)
    arrays = {}
    for name, (out, into) in shapes.items():
        for half, shape in (("A", (rank, into)), ("B", (out, rank))):
            array = rng.standard_normal(shape).astype(np.float32) / 4
            arrays[f"base_model.model.{name}.lora_{half}.weight"] = array
    save_file(arrays, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "base_model_name_or_path": "org/base", **settings}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def base(folder: Path, dtype: str) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    config = LlamaConfig(hidden_size=64, intermediate_size=96, num_hidden_layers=2, vocab_size=99, **heads)
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def logits(folder: Path, adapter: Path | None = None, scale: float = 0.0) -> Any:
    """What the model computes in float32; with the adapter beside it: W x + scale B A x, as PEFT's layer does."""
    import torch
    from safetensors.torch import load_file
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    matrices = load_file(adapter / "adapter_model.safetensors") if adapter else {}
    for name in LAYERS if adapter else ():
        a, b = (matrices[f"base_model.model.{name}.lora_{half}.weight"] for half in "AB")
        hook = lambda layer, x, y, a=a, b=b: y + scale * (x[0] @ a.T @ b.T)  # noqa: E731
        model.get_submodule(name).register_forward_hook(hook)
    with torch.no_grad():
        return model(torch.arange(20)[None] * 3).logits.numpy()


@pytest.mark.parametrize(
    ("dtype", "stabilized", "off"), [("float32", False, 1e-5), ("float32", True, 1e-5), ("bfloat16", False, 0.02)]
)
def test_merged_weights_compute_what_base_and_adapter_do(
    tmp_path: Path, dtype: str, stabilized: bool, off: float
) -> None:
    folder, adapter = base(tmp_path / "base", dtype), drawn(tmp_path / "tuned", use_rslora=stabilized)
    out = tmp_path / "out"
    out.mkdir()
    merge_adapter(folder, read_adapter(adapter), out)
    plain, wanted, found = logits(folder), logits(folder, adapter, 16 / (2 if stabilized else 4)), logits(out)
    assert np.abs(wanted - plain).max() > 0.1, "the adapter changes something"
    assert np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)) < off
    assert read_adapter(adapter).scale == 16 / (math.sqrt(4) if stabilized else 4)


def test_an_adapter_for_another_base(tmp_path: Path) -> None:
    folder, out = base(tmp_path / "base", "float32"), tmp_path / "out"
    out.mkdir()
    deeper = drawn(tmp_path / "deeper", {"model.layers.24.self_attn.q_proj": (64, 64)})
    with pytest.raises(BadInput, match=r"for another base: it changes model\.layers\.24.*'org/base'"):
        merge_adapter(folder, read_adapter(deeper), out)
    wider = drawn(tmp_path / "wider", {LAYERS[0]: (128, 128)})
    with pytest.raises(BadInput, match=r"is \[128, 128\], and the base's is F32 \[64, 64\]"):
        merge_adapter(folder, read_adapter(wider), out)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(BadInput, match="--weights FOLDER") as caught:
        merge_adapter(tmp_path / "a.gguf", read_adapter(wider), out)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"peft_type": "IA3"}, Unsupported, "no LoRA"),
        ({"use_dora": True}, Unsupported, "use_dora"),
        ({"bias": "all"}, Unsupported, "bias"),
        ({"modules_to_save": ["lm_head"]}, Unsupported, "modules_to_save"),
        ({"rank_pattern": {"q": 2}}, Unsupported, "rank_pattern"),
        ({"r": 8}, BadInput, "its rank is 8"),
        ({"r": 0}, BadInput, "r = 0"),
        ({"lora_alpha": None}, BadInput, "lora_alpha = None"),
    ],
)
def test_what_is_not_merged(tmp_path: Path, settings: dict[str, Any], error: type[Exception], why: str) -> None:
    adapter = drawn(tmp_path / "tuned")
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, **settings}))
    with pytest.raises(error, match=why):
        read_adapter(adapter)


def test_what_is_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no adapter"):
        read_adapter(tmp_path)
    adapter = drawn(tmp_path / "tuned")
    (adapter / "adapter_config.json").write_text("{")
    with pytest.raises(BadInput, match="is not JSON"):
        read_adapter(adapter)
    adapter = drawn(tmp_path / "half")
    save_file({f"base_model.model.{LAYERS[0]}.lora_A.weight": np.zeros((4, 64))}, adapter / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="is not whole"):
        read_adapter(adapter)
    save_file({"base_model.model.x.lora_magnitude_vector": np.zeros(4)}, adapter / "adapter_model.safetensors")
    with pytest.raises(Unsupported, match="no matrix of a plain LoRA"):
        read_adapter(adapter)
