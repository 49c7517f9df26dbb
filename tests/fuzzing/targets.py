"""What is fuzzed: every reader of foreign files, by name, with what makes its seeds. See ``search.py``."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzzing import readers
from fuzzing.seeds import documents, networks, samples, weights

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A reader of a foreign file.

    Attributes:
        read: takes the file; gives anything, or raises an `EdgekitError`.
        seeds: contents that `read` accepts, made with the help of a folder for temporary files.
        file: name of the file. packed: what is fuzzed -> the file's content; raises ValueError for what is none.
        json: whether what is fuzzed is JSON, so that its structure can be changed.
    """

    read: Callable[[Path], object]
    seeds: Callable[[Path], Iterable[bytes]]
    file: str = "input"
    packed: Callable[[bytes], bytes] = bytes
    json: bool = False


def _stored(members: Mapping[str, bytes]) -> bytes:
    """A zip whose members are not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _onnx(text: bytes) -> bytes:
    import onnx
    from google.protobuf import json_format

    try:
        model = json_format.Parse(text, onnx.ModelProto())
    except (json_format.ParseError, UnicodeDecodeError, RecursionError, OverflowError, TypeError) as exc:
        raise ValueError from exc
    content: bytes = model.SerializeToString()
    return content


def _signed(text: bytes) -> bytes:
    """A manifest as a forger would write it: with a digest that fits."""
    import msgspec

    from edgekit.bundles import manifest

    try:
        return manifest.encode(msgspec.convert(json.loads(text), manifest.Manifest))
    except (ValueError, msgspec.ValidationError, RecursionError):
        return text


def _within(place: str) -> Callable[[bytes], bytes]:
    """Puts what is fuzzed in place of a member of the small .pt2."""

    def packed(content: bytes) -> bytes:
        with zipfile.ZipFile(readers.program()) as source:
            members = {name: source.read(name) for name in source.namelist()}
        name = next(name for name in members if name.endswith(place))
        return _stored({**members, name: content})

    return packed


TARGETS: dict[str, Target] = {
    "tflite": Target(readers.tflite, networks.integer_tflites, "input.tflite"),
    "tflite-firmware": Target(readers.tflite_firmware, networks.integer_tflites, "input.tflite"),
    "tflite-translation": Target(readers.tflite_translation, networks.float_tflites, "input.tflite"),
    "gguf": Target(readers.gguf, networks.ggufs, "input.gguf"),
    "pte": Target(readers.pte, networks.ptes, "input.pte"),
    "onnx": Target(readers.onnx, networks.onnx_files, "input.onnx"),
    "onnx-translation": Target(readers.onnx_translation, networks.onnx_texts, "input.onnx", _onnx, json=True),
    "safetensors": Target(readers.checkpoint, weights.safetensors_files, "input.safetensors"),
    "safetensors-header": Target(
        readers.checkpoint,
        weights.safetensors_headers,
        "input.safetensors",
        lambda header: struct.pack("<Q", len(header)) + header + bytes(64),
        json=True,
    ),
    "ctranslate2": Target(readers.checkpoint, weights.ctranslate2_files, "model.bin"),
    "numpy": Target(readers.arrays, weights.arrays, "input.npz"),
    "numpy-member": Target(
        readers.arrays, weights.array_members, "input.npz", lambda content: _stored({"observations.npy": content})
    ),
    "literals": Target(readers.checkpoint, weights.literals, "input.py"),
    "torch": Target(readers.checkpoint, weights.torch_files, "input.pt"),
    "torch-older": Target(readers.checkpoint, weights.older_torch_files, "input.pt"),
    "torch-pickle": Target(
        readers.checkpoint,
        weights.torch_pickles,
        "input.pt",
        lambda content: _stored(
            {
                "a/data.pkl": content,
                **{f"a/data/{i}": bytes(24) for i in range(4)},
                "a/byteorder": b"little",
                "a/version": b"3\n",
            }
        ),
    ),
    "variables": Target(readers.variables, weights.variables, "variables.index"),
    "pt2": Target(readers.pt2, networks.pt2_files, "input.pt2"),
    "pt2-program": Target(readers.pt2, networks.pt2_programs, "input.pt2", _within("models/model.json"), json=True),
    "pt2-weights": Target(
        readers.pt2, networks.pt2_weights, "input.pt2", _within("model_weights_config.json"), json=True
    ),
    "manifest": Target(readers.manifest, documents.manifests, "manifest.json", _signed, json=True),
    "report": Target(readers.report, documents.reports, "report.json", json=True),
    "frontier": Target(readers.frontier, documents.frontiers, "frontier.json", json=True),
    "descriptions": Target(readers.descriptions, documents.descriptions, "part.json", json=True),
    "wheel": Target(readers.wheel, documents.zips, "toy-1-py3-none-any.whl"),
    "tarball": Target(
        readers.tarball, documents.tarballs, "toy-1.tgz", lambda content: gzip.compress(content, 1, mtime=0)
    ),
    "sounds": Target(readers.sound, samples.sounds),
    "pipe": Target(readers.pipe, samples.waves),
    "pictures": Target(readers.picture, samples.pictures),
    "annotations": Target(readers.annotations, samples.annotations, "annotations.json", json=True),
    "sound-lists": Target(readers.list_of_sounds, samples.lists_of_sounds, "manifest.jsonl"),
    "structures": Target(readers.structure, samples.structures, "input.pdb"),
    "tables": Target(readers.table, samples.tables, "input.csv"),
    "tokenizer": Target(readers.tokenizer, documents.tokenizers, "tokenizer.json", json=True),
    "adapter": Target(readers.adapter, weights.adapters, "adapter_config.json", json=True),
    "settings": Target(readers.settings, documents.configs, "config.json", json=True),
}
