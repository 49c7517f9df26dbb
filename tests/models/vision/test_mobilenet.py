"""MobileNet v2 and v3-small: what torchvision 0.28 and timm 1.0 compute with the same weights, and whose weights fit.

`golden/mobilenet-layouts.json` holds their tensors' names and shapes, and their logits of one picture with the weights
that `drawn` draws: sorted by name, from one generator.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.errors import BadInput
from edgekit.models.vision.networks.mobilenet_weights import network
from edgekit.models.vision.shapes import v1_layers
from edgekit.registry import find

LAYOUTS = json.loads((Path(__file__).parents[2] / "golden" / "mobilenet-layouts.json").read_text())


def drawn(layout: str) -> dict[str, Any]:
    random = np.random.default_rng(7)
    tensors = {}
    for name, shape in LAYOUTS[layout]["names"]:
        value = random.standard_normal(tuple(shape)).astype("f4")
        if name.endswith("running_var"):
            value = np.abs(value) * 0.5 + 0.5
        elif value.ndim > 1:
            value = value * (2 / np.prod(value.shape[1:])) ** 0.5
        elif name.endswith("weight"):
            value = 1 + 0.1 * value
        else:
            value = 0.1 * value
        tensors[name] = value.astype("f4")
    return tensors


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_computes_what_the_others_compute(layout: str) -> None:
    model = layout.split("-", 1)[1]
    module = network(drawn(layout), model)
    assert sum(p.numel() for p in module.parameters()) == find("models", model).network.parameters
    pixels = ((np.arange(224 * 224 * 3) * 2654435761) % 251).astype("u1").reshape(1, 224, 224, 3)
    with torch.inference_mode():
        logits = module(torch.from_numpy(pixels))[0]
    wanted = LAYOUTS[layout]
    assert float(logits.norm()) == pytest.approx(wanted["norm"], rel=1e-5)
    assert np.abs(logits[:8].numpy() - wanted["logits"]).max() < 1e-5 * wanted["norm"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"conv_stem.weight": None}, "torchvision or timm"),
        ({"bn1.bias": None}, "lack 'bn1.bias'"),
        ({"bn1.bias": np.zeros(3, np.float32)}, r"'bn1.bias' are float32 \[3\]"),
        ({"bn1.bias": np.zeros(32, np.int8)}, "int8"),
        ({"other.weight": np.zeros(3, np.float32)}, "'other.weight'"),
    ],
)
def test_other_weights_are_refused(change: dict[str, Any], told: str) -> None:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in LAYOUTS["timm-mobilenet-v2"]["names"]}
    with pytest.raises(BadInput, match=told):
        network({name: value for name, value in {**tensors, **change}.items() if value is not None}, "mobilenet-v2")


def test_another_network_of_the_family_is_refused() -> None:
    with pytest.raises(BadInput):
        network(drawn("tv-mobilenet-v2"), "mobilenet-v3-small")


def test_the_layers_of_v1_hold_all_of_its_parameters() -> None:
    model = find("models", "mobilenet-v1-025-vww")
    layers = v1_layers(len(model.task.labels))
    assert sum(layer.weights + layer.outputs for layer in layers) == model.network.parameters
    # The network of MLPerf Tiny: 7.5 million multiplications (Banbury et al. 2021, arXiv:2106.07597).
    assert sum(layer.weights * layer.positions for layer in layers) == pytest.approx(7.49e6, rel=1e-3)
