"""Small files of weights, made on the spot: where a search by `search.py` begins."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = [
    "adapter_weights",
    "adapters",
    "array_members",
    "arrays",
    "ctranslate2_files",
    "literals",
    "older_torch_files",
    "safetensors_files",
    "safetensors_headers",
    "torch_files",
    "torch_pickles",
    "variables",
]


def safetensors_headers(folder: Path) -> Iterator[bytes]:
    """Headers of files whose values have 64 bytes."""
    yield json.dumps({"w": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}}).encode()
    yield json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "BF16", "shape": [2, 4], "data_offsets": [0, 16]},
            "b": {"dtype": "I64", "shape": [], "data_offsets": [16, 24]},
            "c": {"dtype": "BOOL", "shape": [40], "data_offsets": [24, 64]},
        }
    ).encode()


def safetensors_files(folder: Path) -> Iterator[bytes]:
    for header in safetensors_headers(folder):
        yield struct.pack("<Q", len(header)) + header + bytes(64)


def ctranslate2_files(folder: Path) -> Iterator[bytes]:
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    def variable(name: str, shape: tuple[int, ...], kind: int, size: int) -> bytes:
        return text(name) + struct.pack(f"<B{len(shape)}IBI", len(shape), *shape, kind, size) + bytes(size)

    variables = [
        variable("w", (2, 3), 0, 24),
        variable("w_scale", (1,), 4, 2),
        variable("b", (2,), 5, 4),
        variable("n", (), 2, 2),
    ]
    head = struct.pack("<I", 6) + text("ToySpec") + struct.pack("<II", 3, len(variables))
    yield head + b"".join(variables) + struct.pack("<I", 1) + text("v") + text("w")


def arrays(folder: Path) -> Iterator[bytes]:
    """.npz files, as they are and compressed."""
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, observations=np.ones((3, 2), np.float32), truth=np.array(1))
        yield buffer.getvalue()


def array_members(folder: Path) -> Iterator[bytes]:
    """.npy files: text, numbers and none."""
    for array in (np.ones((3, 2), np.float32), np.array([["a", "b"]]), np.zeros((0, 4), np.int8), np.array(2.5)):
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        yield buffer.getvalue()


def literals(folder: Path) -> Iterator[bytes]:
    yield b"import numpy as np\nW = np.array([[0.1, -0.2], [+1e3, 4]])\nB = array((1, 2))\n"
    yield b"# -*- coding: latin-1 -*-\nX = numpy.array([[[1.0]]])\n"


def torch_files(folder: Path) -> Iterator[bytes]:
    """State dicts in PyTorch's form, one inside a dict with other data, and an OpenAI model."""
    import torch

    state = {"w": torch.ones(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    dims = {"n_mels": 80, "n_vocab": 10}
    for content in (state, {"model": state, "step": 3}, {"dims": dims, "model_state_dict": state}):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield buffer.getvalue()


def older_torch_files(folder: Path) -> Iterator[bytes]:
    """In the form of before PyTorch 1.6."""
    import torch

    for content in ({"w": torch.ones(2, 3)}, {"model": {"w": torch.ones(2), "v": torch.ones(1).half()}, "step": 3}):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=False)
        yield buffer.getvalue()


def torch_pickles(folder: Path) -> Iterator[bytes]:
    """The pickles inside of `torch_files`."""
    for content in torch_files(folder):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield next(archive.read(name) for name in archive.namelist() if name.endswith("/data.pkl"))


def variables(folder: Path) -> Iterator[bytes]:
    """An index of TensorFlow's variables: the published one, and its first two kilobytes."""
    yield (Path(__file__).parents[2] / "golden" / "kws-variables.index").read_bytes()


def adapters(folder: Path) -> Iterator[bytes]:
    """Settings of a LoRA adapter of rank two."""
    plain = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": "a/b"}
    yield json.dumps(
        {**plain, "bias": "none", "use_rslora": False, "rank_pattern": {}, "target_modules": ["q"]}
    ).encode()
    yield json.dumps({**plain, "lora_alpha": 1.5, "use_rslora": True}).encode()


def adapter_weights() -> bytes:
    """The matrices that belong to `adapters`."""
    name = "base_model.model.layer.q.lora_{}.weight"
    header = {
        name.format("A"): {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        name.format("B"): {"dtype": "F32", "shape": [4, 2], "data_offsets": [24, 56]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(56)
