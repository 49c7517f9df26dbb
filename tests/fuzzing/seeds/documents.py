"""Manifests, reports, settings, tokenizers and packages, made on the spot: where a search by `search.py` begins."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["configs", "descriptions", "frontiers", "manifests", "reports", "tarballs", "tokenizers", "zips"]


def manifests(folder: Path) -> Iterator[bytes]:
    """The manifests of two bundles, of this schema and of the oldest."""
    import msgspec

    from edgekit.bundles import manifest as form

    tensor = form.Tensor(name="x", dtype="float32", shape=[1, "time"])
    recipe = form.RecipeFacts(exporter="onnx", precision="int8", options={"a": 1})
    made = form.Manifest(
        schema=form.SCHEMA,
        edgekit="0",
        key="k",
        model=form.ModelFacts(name="m", family="f", task="tensors", parameters=3),
        source=form.SourceFacts(uri="hf://a/b", revision="1", format="onnx", pinned=True, files={"w": "0"}),
        target=form.TargetFacts(name="laptop", system="", processor="", runtime={"a": "1"}),
        recipe=recipe,
        parts=[form.PartFacts(name="p", file="p.onnx", inputs=[tensor], outputs=[], census={"n": 1}, parity=0.1)],
        facts={"labels": ["a"]},
        golden=form.Golden(input="i.npz", reference="r.npz", output="o", reference_output="o"),
        gate=form.Verdict(verdict="pass", reason="", value=0.5, basis=("bar",), others={"x": form.Score(value=1.0)}),
        attempts=[form.Attempt(recipe=recipe, outcome="ok")],
        licences={"m": "MIT"},
        versions={"python": "3"},
        files={"p.onnx": form.File(sha256="0", size=1)},
        evidence=form.Evidence(agreement=form.Agreement(verdict="pass", reason=""), name="e", answers="a.json"),
    )
    yield json.dumps(msgspec.to_builtins(made)).encode()


def reports(folder: Path) -> Iterator[bytes]:
    """Reports of a host and of firmware, and a matrix of cells."""
    import msgspec
    from helpers.pages.html_reports import firmware, make

    for report in (make(), firmware()):
        yield json.dumps(msgspec.to_builtins(report)).encode()


def descriptions(folder: Path) -> Iterator[bytes]:
    """What stands beside a part in C, and beside one of ExecuTorch."""
    tensor = {"name": "x", "dtype": "int8", "shape": [1, "time"]}
    yield json.dumps(
        {
            "kind": "network",
            "inputs": [tensor],
            "outputs": [tensor],
            "sources": ["a.c"],
            "most": {"time": 9},
            "sha256": "0",
        }
    ).encode()


def frontiers(folder: Path) -> Iterator[bytes]:
    loss = {"value": 0.1, "low": 0.0, "high": 0.2, "unit": "nats a token", "allowed": 0.05}
    point = {"recipe": "q4_0", "verdict": "fail", "reason": "", "size": 9, "speed": 1.5, "seconds": 0.2}
    yield json.dumps({"chosen": "q4_0", "points": [{**point, "loss": loss, "figures": {"perplexity": 3.0}}]}).encode()


def zips(folder: Path) -> Iterator[bytes]:
    """A wheel, compressed and not."""
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            archive.writestr("toy/w", b"weights" * 9)
            archive.writestr("toy-1.dist-info/METADATA", b"Name: toy\n")
        yield buffer.getvalue()


def tarballs(folder: Path) -> Iterator[bytes]:
    """The tar inside of a package: in ustar's form, and in pax's with long names."""
    for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
            for name, body in {
                "package/package.json": b"{}",
                "package/w": b"weights" * 9,
                f"package/{'é' * 90}": b"",
            }.items():
                info = tarfile.TarInfo(name if form != tarfile.USTAR_FORMAT else name[:40])
                info.size = len(body)
                out.addfile(info, io.BytesIO(body))
        yield buffer.getvalue()


def tokenizers(folder: Path) -> Iterator[bytes]:
    from helpers.toys.toy_whisper import write_tokenizer

    whole = json.loads(write_tokenizer(folder / "tokenizer.json").read_bytes())
    yield json.dumps(whole).encode()
    yield json.dumps(_word_pieces()).encode()


def _word_pieces() -> Mapping[str, Any]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "[CLS]": 3, "[SEP]": 4}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 3), ("[SEP]", 4)]
    )
    return dict(json.loads(made.to_str()))


def configs(folder: Path) -> Iterator[bytes]:
    """The settings of models of Hugging Face, of each kind that an importer plans."""
    common = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 9,
    }
    for kind, more in {
        "llama": {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64, "num_key_value_heads": 1},
        "bert": {
            "architectures": ["BertForSequenceClassification"],
            "id2label": {"0": "a", "1": "b"},
            "max_position_embeddings": 64,
        },
        "vit": {
            "architectures": ["ViTForImageClassification"],
            "image_size": 32,
            "patch_size": 8,
            "id2label": {"0": "a"},
        },
        "wav2vec2": {
            "architectures": ["Wav2Vec2ForCTC"],
            "conv_stride": [5, 2],
            "conv_kernel": [10, 3],
            "conv_dim": [8, 8],
        },
        "whisper": {
            "architectures": ["WhisperForConditionalGeneration"],
            "d_model": 8,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "max_source_positions": 1500,
            "max_target_positions": 448,
            "decoder_attention_heads": 2,
            "num_mel_bins": 80,
        },
    }.items():
        yield json.dumps({"model_type": kind, **common, **more}).encode()
