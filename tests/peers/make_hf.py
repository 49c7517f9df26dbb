"""whisper-base as a Hugging Face folder, from weights in any format: what optimum-onnx exports from.

python tests/peers/make_hf.py WEIGHTS OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.whisper.loop.tokens import Tokens
from edgekit.models.whisper.shapes import FRAMES, HOP, N_FFT, SAMPLE_RATE, WINDOW, Shape
from edgekit.models.whisper.weights import state_dict

BASE = Shape(width=512, heads=8, encoder_layers=6, decoder_layers=6)


def write(weights: Path, out: Path, shape: Shape = BASE) -> None:
    """Write config, weights, tokenizer and the rest to the folder `out`, which gets them all or none."""
    import safetensors.numpy

    state = state_dict(read_checkpoint(weights), shape)
    # proj_out is the token embedding, which from_pretrained ties by itself; zero biases of keys are our addition.
    tensors = {
        f"model.{name}": np.array(tensor, np.float32)
        for name, tensor in state.items()
        if not name.endswith("k_proj.bias")
    }
    out.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "tokenizer.json").write_bytes((weights / "tokenizer.json").read_bytes())
    tokens = Tokens(out / "tokenizer.json")
    documents = {
        "generation_config.json": _generation(tokens, shape),
        "preprocessor_config.json": _preprocessor(shape),
        "tokenizer_config.json": _tokenizer(),
        # Last, because its presence says that the folder is whole.
        "config.json": _config(tokens, shape),
    }
    for name, content in documents.items():
        (out / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _config(tokens: Tokens, shape: Shape) -> dict[str, Any]:
    sides = {
        f"{side}_{what}": value
        for side, layers in (("encoder", shape.encoder_layers), ("decoder", shape.decoder_layers))
        for what, value in (("layers", layers), ("attention_heads", shape.heads), ("ffn_dim", 4 * shape.width))
    }
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": shape.width,
        "num_mel_bins": shape.mels,
        "vocab_size": shape.vocabulary,
        "max_source_positions": shape.audio_context,
        "max_target_positions": shape.text_context,
        "activation_function": "gelu",
        "is_encoder_decoder": True,
        "bos_token_id": tokens.eot,
        "eos_token_id": tokens.eot,
        "pad_token_id": tokens.eot,
        "decoder_start_token_id": tokens.sot,
        **sides,
    }


def _generation(tokens: Tokens, shape: Shape) -> dict[str, Any]:
    facts = tokens.facts()
    return {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": token for code, token in tokens.languages.items()},
        "task_to_id": {"transcribe": tokens.transcribe, "translate": tokens.translate},
        "no_timestamps_token_id": tokens.no_timestamps,
        "prev_sot_token_id": tokens.previous,
        "max_initial_timestamp_index": 50,
        "suppress_tokens": facts["suppress"],
        "begin_suppress_tokens": facts["suppress_at_begin"],
        "max_length": shape.text_context,
        "bos_token_id": tokens.eot,
        "eos_token_id": tokens.eot,
        "pad_token_id": tokens.eot,
        "decoder_start_token_id": tokens.sot,
        "return_timestamps": False,
    }


def _preprocessor(shape: Shape) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": shape.mels,
        "sampling_rate": SAMPLE_RATE,
        "hop_length": HOP,
        "n_fft": N_FFT,
        "chunk_length": WINDOW // SAMPLE_RATE,
        "n_samples": WINDOW,
        "nb_max_frames": FRAMES,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def _tokenizer() -> dict[str, Any]:
    end = "<|endoftext|>"
    return {
        "tokenizer_class": "WhisperTokenizerFast",
        "processor_class": "WhisperProcessor",
        "model_max_length": 1024,
        "add_prefix_space": False,
        "bos_token": end,
        "eos_token": end,
        "pad_token": end,
        "unk_token": end,
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
