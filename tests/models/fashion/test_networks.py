"""vit-fashion: its weights are counted, other weights are refused, it knows clothes; and what `list` says of the models
that edgekit itself trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import edgekit
from edgekit import catalogue
from edgekit.core import Model
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.fashion.shapes import SIDE, WIDTH, vit_parameters
from edgekit.models.fashion.vit import Classifier, Features, classifier
from edgekit.registry import find, names
from edgekit.sources import fetch
from edgekit.tasks.resolved import evidence_of

ROOT = Path(__file__).parents[3]
#: Models whose weights lie in edgekit itself.
TRAINED = [
    name
    for name in names("models")
    if any(source.uri.startswith("edgekit://") for source in find("models", name).weights.sources)
]


def test_declared_parameters_are_those_of_the_module() -> None:
    assert sum(tensor.numel() for tensor in Classifier().state_dict().values()) == vit_parameters()


def test_colours_are_averaged_and_features_are_of_the_same_picture() -> None:
    network = Classifier().eval()
    pixels = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    grey = pixels.float().mean(3)[:, None] / 255
    with torch.inference_mode():
        assert torch.allclose(network(pixels), network.logits(grey), atol=1e-6)
        made = Features(network.trunk)(grey * 2 - 1)
        assert made.shape == (1, WIDTH) and torch.allclose(network.head(made), network.logits(grey), atol=1e-5)


def test_other_weights_are_refused() -> None:
    tensors = {name: value.numpy() for name, value in Classifier().state_dict().items()}
    tensors["head.weight"] = np.zeros((3, 3))
    with pytest.raises(BadInput, match="not vit-fashion's"):
        classifier(tensors)


@pytest.mark.parametrize("name", TRAINED)
def test_list_says_whose_they_are_and_a_script_makes_them(name: str) -> None:
    (entry,) = (entry for entry in catalogue.list_("models")["models"] if entry["model"] == name)
    assert entry["note"].startswith("edgekit's own, made by `make train`: ")
    script = f"training/{name.replace('-', '_')}.py"
    assert (ROOT / script).is_file() and script in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("name", TRAINED)
def test_their_weights_travel_with_edgekit_and_are_small(name: str) -> None:
    model: Model = find("models", name)
    own = [file for file in model.weights.sources[0].files if file.pieces[0].startswith("edgekit://")]
    assert own and sum(file.size or 0 for file in own) < 1_000_000


def test_fit_says_what_a_microcontroller_lacks() -> None:
    answer = edgekit.fit("vit-fashion", "cortex-m4")
    assert answer.verdict == "refused" and "C has no products of sequences" in answer.reason
    assert edgekit.fit("vit-fashion", "android").verdict == "fits"


def test_the_classifier_knows_the_pictures_that_travel_with_it() -> None:
    model: Model = find("models", "vit-fashion")
    folder, _ = fetch(model.weights.sources, offline=True)
    network = model.network.parts[0].build
    assert network is not None
    module, evidence = network(read_checkpoint(folder)), evidence_of(model)
    assert evidence is not None
    samples = evidence.samples(Path())
    assert len(samples) == 200 and len({sample.input.tobytes() for sample in samples}) == 200
    with torch.inference_mode():
        logits = torch.cat([module(torch.from_numpy(sample.input[None].copy())) for sample in samples[100:]])
    best = [model.task.labels[int(at)] for at in logits.argmax(1)]
    assert sum(label == sample.truth for label, sample in zip(best, samples[100:], strict=True)) >= 85
