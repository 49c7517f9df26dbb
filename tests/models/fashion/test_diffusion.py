"""ddpm-fashion: normalisations fold, other weights are refused, pictures look like clothes in int8, too."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import edgekit
from edgekit.core import Feeds, Model, Part, Runner
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.fashion.shapes import SIDE, parameters_of, unet_layers
from edgekit.models.fashion.unet import Unet, fuse_norms, unet
from edgekit.models.fashion.vit import features
from edgekit.registry import find
from edgekit.sources import fetch
from edgekit.tasks.resolved import evidence_of
from edgekit.tasks.unconditional_image_generation.painter import Painter


def test_declared_parameters_are_those_of_the_module() -> None:
    assert sum(tensor.numel() for tensor in Unet().state_dict().values()) == parameters_of(unet_layers())


def test_normalisations_become_parts_of_their_convolutions() -> None:
    torch.manual_seed(0)
    network = Unet(norms=True).train()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 2.0)
            nn.init.normal_(part.bias)
    noisy, angle = torch.randn(4, 1, SIDE, SIDE), torch.rand(4)
    network(noisy, angle)  # running means and deviations are no longer 0 and 1
    with torch.inference_mode():
        whole = network.eval()(noisy, angle)
        assert torch.allclose(fuse_norms(network)(noisy, angle), whole, atol=1e-4) and whole.std() > 0.01
    assert not any(isinstance(part, nn.BatchNorm2d) for part in fuse_norms(network).modules())


def test_other_weights_are_refused() -> None:
    tensors = {name: value.numpy() for name, value in Unet().state_dict().items()}
    tensors["stem.weight"] = np.zeros((3, 3))
    with pytest.raises(BadInput, match="not ddpm-fashion's"):
        unet(tensors)


def test_fit_says_what_a_microcontroller_lacks() -> None:
    answer = edgekit.fit("ddpm-fashion", "cortex-m4")
    assert answer.verdict == "refused" and "C has no products of sequences" in answer.reason


class Torch(Runner):
    """A part of the model, in torch."""

    def __init__(self, module: nn.Module, part: Part) -> None:
        self._module, self.inputs, self.outputs = module, part.inputs, part.outputs

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            made = self._module(*(torch.from_numpy(feeds[spec.name]) for spec in self.inputs))
        return {self.outputs[0].name: made.numpy()}


def rounded(network: Unet, bits: int) -> Unet:
    """Its weights rounded row by row."""
    network = copy.deepcopy(network)
    for weights in network.parameters():
        if weights.ndim > 1:
            rows = weights.data.flatten(1)
            scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-9) / (2 ** (bits - 1) - 1)
            weights.data = ((rows / scale).round() * scale).reshape(weights.shape)
    return network


@pytest.mark.thorough
def test_the_bar_lies_between_8_and_4_bits() -> None:
    model: Model = find("models", "ddpm-fashion")
    agreement, evidence = find("tasks", model.task.name).agreement, evidence_of(model)
    assert agreement is not None and evidence is not None
    own, judge = (
        read_checkpoint(fetch([source], offline=True)[0]).tensors
        for source in (model.weights.sources[0], model.weights.companions["vit-fashion"])
    )
    network, judged = unet(own), list(evidence.samples(Path()))[32:]
    parts, facts = model.network.parts, {"angles": [k * math.pi / 16 for k in range(8, 0, -1)], "turn": math.pi / 16}

    def answers(candidate: Unet) -> list[Any]:
        painter = Painter({"network": Torch(candidate, parts[0]), "features": Torch(features(judge), parts[1])}, facts)
        return [agreement.answer(painter.predict(sample.input)) for sample in judged]

    reference = answers(network)
    near = [sum(agreement.same(answers(rounded(network, bits)), reference)) for bits in (8, 4)]
    assert near[0] >= agreement.bar * len(judged) > 4 * near[1]


@pytest.mark.real
def test_pictures_of_int8_are_those_of_fp32(tmp_path: Path) -> None:
    bundle = edgekit.export("ddpm-fashion", "laptop", out=tmp_path / "b")
    agreement = bundle.manifest.evidence.agreement
    assert bundle.manifest.recipe.precision == "int8"
    assert agreement.verdict in ("pass", "undecided") and agreement.same >= 0.9 * agreement.of
    pictures = np.array(edgekit.load(bundle.path).predict("7", count=32).details["pictures"], np.uint8)
    known = edgekit.load(edgekit.export("vit-fashion", "laptop", out=tmp_path / "v").path)
    sure = [known.predict(picture.repeat(3, 2)).details["scores"][0]["score"] for picture in pictures]
    labels = {known.predict(picture.repeat(3, 2)).output for picture in pictures}
    assert np.median(sure) > 0.6 and len(labels) >= 5, "they look like clothes of several kinds"
