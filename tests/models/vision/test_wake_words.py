"""MobileNet v1 for Visual Wake Words: the float network is MLPerf's, and other files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.formats.tflite import reader
from edgekit.models.vision.networks.mobilenet_v1 import network
from edgekit.registry import find

MODEL = find("models", "mobilenet-v1-025-vww")


def checkpoint(path: Path, form: str = "tflite") -> Checkpoint:
    return Checkpoint(path, form, {}, {}, {})


def test_chips_get_the_ready_network_and_others_the_float_one() -> None:
    chip = MODEL.network.variants["integers"]
    assert (chip.name, chip.task.name) == (MODEL.name, MODEL.task.name)
    assert chip.network.parts[0].inputs[0].dtype == "int8"
    assert MODEL.network.parts[0].inputs[0].dtype == "uint8"
    assert not MODEL.network.ready, "any format may try"


def test_weights_of_another_kind() -> None:
    with pytest.raises(BadInput, match=r"float \.tflite, not pytorch"):
        network(checkpoint(Path("weights.pth"), "pytorch"))


@pytest.mark.real
def test_the_float_network_is_the_published_one(shared_data: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    file = shared_data.parent / "models" / "mlperf-tiny" / "vww_96_float32.tflite"
    module = network(checkpoint(file))
    theirs = Interpreter(str(file))
    theirs.allocate_tensors()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.uint8)
    theirs.set_tensor(theirs.get_input_details()[0]["index"], pixels.astype(np.float32) / 255)
    theirs.invoke()
    wanted = theirs.get_tensor(theirs.get_output_details()[0]["index"])
    with torch.inference_mode():
        assert np.abs(module(torch.from_numpy(pixels)).numpy() - wanted).max() < 1e-5


@pytest.mark.real
def test_an_int8_network_has_no_float_weights(shared_data: Path) -> None:
    file = shared_data.parent / "models" / "mlperf-tiny" / "vww_96_int8.tflite"
    assert reader.read(file.read_bytes())
    with pytest.raises(BadInput, match="no float weights"):
        network(checkpoint(file))
