"""PP-OCRv4 with its real weights: the original files' own numbers, and text that is read."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from edgekit.bench.metrics import cer
from edgekit.common import package_data
from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.ppocr.networks import network
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.resolved import predictor_of

MODEL = find("models", "pp-ocr-v4")
SAID = "Text in pictures is read on the phone, from 12 to 48 pixels high."


def graph(file: Path, channels: int, external: bool = False) -> None:
    """A file that doubles a picture."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 64]) for name in ("x", "y")]
    model = helper.make_model(helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", ends[:1], ends[1:]))
    model.opset_import[0].version, model.ir_version = 17, 8
    onnx.save(model, file)


def test_several_graphs_are_a_checkpoint_and_others_are_refused(tmp_path: Path) -> None:
    graph(tmp_path / "a.onnx", 3)
    graph(tmp_path / "b.onnx", 1)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.format == "onnxes" and sorted(checkpoint.files) == ["a.onnx", "b.onnx"]
    made = network(checkpoint, "a.onnx", (32, 64), (3, 32, 64))
    assert (made.network(torch.ones(1, 3, 32, 64)) == 2.0).all()
    with pytest.raises(BadInput, match=r"lack c\.onnx"):
        network(checkpoint, "c.onnx", (32, 64), (3, 32, 64))
    with pytest.raises(BadInput, match="three colours"):
        network(checkpoint, "b.onnx", (32, 64), (1, 32, 64))
    with pytest.raises(BadInput, match="not"):
        network(checkpoint, "a.onnx", (32, 64), (40, 6625))


@pytest.fixture(scope="module")
def weights() -> Checkpoint:
    folder, _ = fetch(MODEL.weights.sources, cache=cache_folder())
    return read_checkpoint(folder)


@pytest.mark.real
def test_each_part_computes_what_the_original_file_computes(weights: Checkpoint) -> None:
    random = np.random.default_rng(5)
    for part, file in zip(MODEL.network.parts, sorted(weights.files, key=_order), strict=True):
        (spec,) = part.inputs
        pixels = random.integers(0, 256, spec.shape).astype(np.uint8)
        mine = reference_of(part, part.build(weights))({spec.name: pixels})[part.outputs[0].name]
        original = OnnxRunner((weights.path / file).read_bytes(), 1)
        values = (pixels[..., ::-1].astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        (wanted,) = original({original.inputs[0].name: np.ascontiguousarray(values)}).values()
        if part.name == "recogniser":  # whose file ends with a softmax
            odds = np.exp(mine - mine.max(2, keepdims=True))
            mine = odds / odds.sum(2, keepdims=True)
        assert mine.reshape(wanted.shape) == pytest.approx(wanted, abs=2e-5)


def _order(name: str) -> int:
    return [key in name for key in ("det", "cls", "rec")].index(True)


@pytest.mark.real
def test_the_golden_picture_is_read(weights: Checkpoint) -> None:
    parts = {part.name: reference_of(part, part.build(weights)) for part in MODEL.network.parts}
    predictor = predictor_of(MODEL, parts, Path(), MODEL.weights.prepare(weights, Path()))
    with importlib.resources.as_file(package_data.stream_of(MODEL.task.golden)) as file:
        found = predictor.predict(file)
    assert len(found.details["texts"]) == 3
    ((errors, letters),) = cer([found.output.replace("\n", " ")], [SAID])
    assert errors <= 0.06 * letters, found.output
    ((errors, _),) = cer([found.output.replace("\n", "").replace(" ", "")], [SAID.replace(" ", "")])
    assert errors == 0, "spaces are its weakness, letters are not"
