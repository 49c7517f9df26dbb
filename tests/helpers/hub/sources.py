"""Sources of small imported models by name: files of Python of a user's own, and architectures of transformers."""

from __future__ import annotations

from pathlib import Path

from helpers.hub.architectures import ARCHITECTURES, write

__all__ = ["source_of"]

#: A classifier of pictures of 40 x 48 pixels, which are only scaled.
_PHOTOS = """
import numpy as np
import torch

labels = ["cat", "dog", "fox"]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 8, 5, 3)
        self.head = torch.nn.Linear(8 * 12 * 15, 3)

    def forward(self, pixels):
        x = pixels.float().permute(0, 3, 1, 2) / 255 - 0.5
        return self.head(torch.relu(self.layer(x)).flatten(1))


def build():
    torch.manual_seed(0)
    return Net()


def examples():
    random = np.random.default_rng(0)
    for _ in range(8):
        yield random.integers(0, 256, (1, 40, 48, 3), dtype=np.uint8)
"""

#: Tensors of five types, along an axis that varies.
_ARRAYS = """
import numpy as np
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 4)
        self.words = torch.nn.Embedding(16, 8)

    def forward(self, values, mask, words, gain, levels):
        hidden = values * mask[..., None] + self.words(words)
        scores = self.layer(hidden) * (1 + gain.float()) + levels.float().sum() / 255
        return scores, scores.argmax(-1), gain * 2


def build():
    torch.manual_seed(0)
    return Net()


def examples():
    random = np.random.default_rng(0)
    for i in range(8):
        steps = 3 + i
        yield {
            "values": random.normal(0, 1, (1, steps, 8)).astype(np.float32),
            "mask": random.random((1, steps)) < 0.7,
            "words": random.integers(0, 16, (1, steps)),
            "gain": random.integers(0, 4, (1,), dtype=np.int32),
            "levels": random.integers(0, 256, (1, 6), dtype=np.uint8),
        }
"""


def source_of(name: str, folder: Path) -> str:
    """Write ``"photos.py"``, ``"arrays.py"``, ``"graph.onnx"`` or an architecture below `folder`; what `edgekit export`
    takes for it."""
    texts = {"photos.py": _PHOTOS, "arrays.py": _ARRAYS}
    if name in texts:
        (folder / name).write_text(texts[name], encoding="utf-8")
        return f"{folder / name}:build"
    if name == "graph.onnx":
        _write_graph(folder / name)
    elif not (folder / name).exists():
        write(next(one for one in ARCHITECTURES if one.name == name), folder / name)
    return str(folder / name)


def _write_graph(file: Path) -> None:
    """A product of rows, whose names are no words of Python."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 1, (6, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["in.x", "weights"], ["hidden"]),
        helper.make_node("Softmax", ["hidden"], ["out.y"]),
    ]
    given = helper.make_tensor_value_info("in.x", TensorProto.FLOAT, (1, 6))
    made = helper.make_tensor_value_info("out.y", TensorProto.FLOAT, (1, 4))
    graph = helper.make_graph(nodes, "rows", [given], [made], [numpy_helper.from_array(weights, "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), file)
