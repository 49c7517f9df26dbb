"""24 architectures of transformers with small random weights, as Hugging Face folders; the same at every call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.hub.vocabularies import write_letters, write_tokenizer

__all__ = ["ARCHITECTURES", "Architecture", "write"]

_LABELS = 10
_WORDS = 512
_VIT = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "image_size": 64,
    "patch_size": 8,
    "num_labels": _LABELS,
}
_BERT = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "vocab_size": _WORDS,
    "max_position_embeddings": 160,
    "num_labels": 4,
}
_WAVE = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "num_labels": _LABELS,
}


@dataclass(frozen=True)
class Architecture:
    """A class of transformers with a small config.

    Attributes:
        name: of the row. built, settings: the class, and what its config class takes.
        processor, processing: of pictures or sounds, and what it takes. tokens: whether it reads texts.
        tasks: what is imported of it, each a network of its own.
    """

    name: str
    built: str
    settings: Mapping[str, Any]
    tasks: tuple[str, ...]
    processor: str = ""
    processing: Mapping[str, Any] | None = None
    tokens: bool = False


def _size(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


_PICTURE = "image-classification"
ARCHITECTURES = (
    Architecture("ViT", "ViTForImageClassification", _VIT, (_PICTURE,), "ViTImageProcessor", {"size": _size(64)}),
    Architecture(
        "DeiT",
        "DeiTForImageClassification",
        _VIT,
        (_PICTURE,),
        "DeiTImageProcessor",
        {"size": _size(72), "crop_size": _size(64)},
    ),
    Architecture(
        "Swin",
        "SwinForImageClassification",
        {
            "image_size": 64,
            "embed_dim": 24,
            "depths": [1, 1],
            "num_heads": [2, 4],
            "window_size": 4,
            "num_labels": _LABELS,
        },
        (_PICTURE,),
        "ViTImageProcessor",
        {"size": _size(64), "resample": 3},
    ),
    Architecture(
        "ConvNeXt",
        "ConvNextForImageClassification",
        {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1], "num_labels": _LABELS},
        (_PICTURE,),
        "ConvNextImageProcessor",
        {"size": {"shortest_edge": 64}},
    ),
    Architecture(
        "ResNet",
        "ResNetForImageClassification",
        {
            "embedding_size": 16,
            "hidden_sizes": [24, 32],
            "depths": [1, 2],
            "layer_type": "basic",
            "num_labels": _LABELS,
        },
        (_PICTURE,),
        "ConvNextImageProcessor",
        {"size": {"shortest_edge": 64}},
    ),
    Architecture(
        "DINOv2",
        "Dinov2Model",
        {**_VIT, "image_size": 70, "patch_size": 7, "mlp_ratio": 2},
        ("image-feature-extraction",),
        "BitImageProcessor",
        {"size": {"shortest_edge": 80}, "crop_size": _size(70)},
    ),
    Architecture(
        "MobileViT",
        "MobileViTForImageClassification",
        {
            "image_size": 64,
            "hidden_sizes": [24, 32, 40],
            "neck_hidden_sizes": [8, 16, 16, 24, 32, 40, 64],
            "num_attention_heads": 4,
            "num_labels": _LABELS,
        },
        (_PICTURE,),
        "MobileViTImageProcessor",
        {"size": {"shortest_edge": 72}, "crop_size": _size(64)},
    ),
    Architecture(
        "MobileNetV2",
        "MobileNetV2ForImageClassification",
        {"image_size": 64, "depth_multiplier": 0.35, "num_labels": _LABELS},
        (_PICTURE,),
        "MobileNetV2ImageProcessor",
        {"size": {"shortest_edge": 72}, "crop_size": _size(64)},
    ),
    Architecture(
        "EfficientNet",
        "EfficientNetForImageClassification",
        {
            "image_size": 64,
            "width_coefficient": 0.5,
            "depth_coefficient": 0.3,
            "hidden_dim": 640,
            "num_hidden_layers": 38,
            "num_labels": _LABELS,
        },
        (_PICTURE,),
        "EfficientNetImageProcessor",
        {"size": _size(64)},
    ),
    Architecture(
        "SegFormer",
        "SegformerForSemanticSegmentation",
        {
            "image_size": 64,
            "hidden_sizes": [16, 32, 40, 64],
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 32,
            "num_labels": _LABELS,
        },
        ("tensors",),
    ),
    Architecture("BERT", "BertForSequenceClassification", _BERT, ("text-classification",), tokens=True),
    Architecture(
        "DistilBERT",
        "DistilBertForSequenceClassification",
        {
            "dim": 96,
            "n_layers": 3,
            "n_heads": 4,
            "hidden_dim": 256,
            "vocab_size": _WORDS,
            "max_position_embeddings": 160,
            "num_labels": 4,
        },
        ("text-classification",),
        tokens=True,
    ),
    Architecture("MiniLM", "BertModel", _BERT, ("feature-extraction",), tokens=True),
    Architecture(
        "ModernBERT",
        "ModernBertForMaskedLM",
        {**_BERT, "local_attention": 16, "global_attn_every_n_layers": 2, "pad_token_id": 0}
        | {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3},
        ("fill-mask",),
        tokens=True,
    ),
    Architecture("RoBERTa", "RobertaForMaskedLM", {**_BERT, "pad_token_id": 0}, ("fill-mask",), tokens=True),
    Architecture(
        "CLIP",
        "CLIPModel",
        {
            "projection_dim": 32,
            "text_config": {
                **_BERT,
                "max_position_embeddings": 77,
                "eos_token_id": 3,
                "projection_dim": 32,
                "bos_token_id": 2,
                "pad_token_id": 0,
            },
            "vision_config": {**_VIT, "projection_dim": 32},
        },
        ("feature-extraction", "image-feature-extraction"),
        "CLIPImageProcessor",
        {"size": {"shortest_edge": 64}, "crop_size": _size(64)},
        tokens=True,
    ),
    Architecture(
        "SigLIP",
        "SiglipModel",
        {
            "text_config": {
                **_BERT,
                "max_position_embeddings": 64,
                "projection_size": 96,
                "pad_token_id": 0,
                "bos_token_id": 2,
                "eos_token_id": 3,
            },
            "vision_config": _VIT,
        },
        ("feature-extraction", "image-feature-extraction"),
        "SiglipImageProcessor",
        {"size": _size(64)},
        tokens=True,
    ),
    Architecture(
        "Wav2Vec2-CTC",
        "Wav2Vec2ForCTC",
        {**_WAVE, "vocab_size": 32},
        ("automatic-speech-recognition",),
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": True},
    ),
    Architecture(
        "HuBERT",
        "HubertForSequenceClassification",
        {**_WAVE, "classifier_proj_size": 32},
        ("audio-classification",),
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": True},
    ),
    Architecture(
        "AST",
        "ASTForAudioClassification",
        {**_VIT, "patch_size": 16, "max_length": 256, "num_mel_bins": 64},
        ("audio-classification",),
        "ASTFeatureExtractor",
        {"max_length": 256, "num_mel_bins": 64},
    ),
    Architecture(
        "Whisper",
        "WhisperForConditionalGeneration",
        {
            "d_model": 96,
            "encoder_layers": 3,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 256,
            "decoder_ffn_dim": 256,
            "vocab_size": _WORDS,
            "num_mel_bins": 40,
            "max_source_positions": 200,
            "max_target_positions": 64,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 3,
            "suppress_tokens": None,
            "begin_suppress_tokens": None,
        },
        ("tensors",),
    ),
    Architecture(
        "PatchTST",
        "PatchTSTForPrediction",
        {
            "context_length": 64,
            "prediction_length": 16,
            "num_input_channels": 3,
            "patch_length": 8,
            "patch_stride": 8,
            "d_model": 96,
            "num_attention_heads": 4,
            "num_hidden_layers": 3,
            "ffn_dim": 256,
        },
        ("tensors",),
    ),
    Architecture(
        "T5 encoder",
        "T5EncoderModel",
        {"vocab_size": _WORDS, "d_model": 96, "d_kv": 24, "d_ff": 256, "num_layers": 3, "num_heads": 4},
        ("feature-extraction",),
        tokens=True,
    ),
    Architecture(
        "YOLOS",
        "YolosForObjectDetection",
        {**_VIT, "image_size": [64, 96], "num_detection_tokens": 10, "num_labels": _LABELS},
        ("tensors",),
    ),
)


def write(architecture: Architecture, folder: Path) -> None:
    """Write the folder: config.json, model.safetensors, and what reads pictures, sounds or texts."""
    import torch
    import transformers

    torch.manual_seed(17)
    kind: Any = getattr(transformers, architecture.built)
    network = kind(kind.config_class(**architecture.settings)).eval()
    _spread(network)
    network.save_pretrained(folder, safe_serialization=True)
    if architecture.processor:
        _processor(architecture, folder)
    if architecture.tokens:
        limit = architecture.settings.get("max_position_embeddings") or 64
        write_tokenizer(folder, _WORDS, min(128, int(limit)), pairs=architecture.name == "BERT")
    if architecture.built == "Wav2Vec2ForCTC":
        write_letters(folder)
    if architecture.name == "MiniLM":
        _sentence_transformer(folder)


def _spread(network: Any) -> None:
    """Statistics of batches as after training, and a little noise on what begins as zeros or ones."""
    import torch

    generator = torch.Generator().manual_seed(18)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.1, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5, generator=generator)
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def _processor(architecture: Architecture, folder: Path) -> None:
    import transformers

    name = architecture.processor
    kind: Callable[..., Any] = getattr(transformers, name if "Feature" in name else f"{name}Pil")
    kind(**(architecture.processing or {})).save_pretrained(folder)


def _sentence_transformer(folder: Path) -> None:
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(modules)
    ]
    (folder / "1_Pooling").mkdir()
    (folder / "modules.json").write_text(json.dumps(listed), "utf-8")
    pooling = {"word_embedding_dimension": 96, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 96}), "utf-8")
