"""A layer has the name of the source's parameter in every format, through what converters rename, fold and cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.core import Part, TensorSpec
from edgekit.quantization.candidates import Candidates
from edgekit.quantization.choice import choose
from edgekit.quantization.plan import Plan, Wish
from edgekit.quantization.weights.identifiers import STRANGE, Converted, Identifiers, is_strange


class Mixed(nn.Module):
    """Normalizations that are folded, weights that are cut, shared and multiplied from either side, and an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.words = nn.Embedding(40, 16)
        self.stem = nn.Sequential(nn.Conv1d(16, 24, 3, padding=1, bias=False), nn.BatchNorm1d(24))
        self.depthwise, self.normed = nn.Conv1d(24, 24, 3, padding=1, groups=24), nn.BatchNorm1d(24)
        self.qkv = nn.Linear(24, 72)
        self.memory = nn.LSTM(24, 16, batch_first=True)
        self.projection = nn.Parameter(torch.randn(16, 16) / 4)
        self.normed.running_var.uniform_(0.5, 2)
        self.stem[1].running_var.uniform_(0.5, 2)

    def forward(self, words: Tensor) -> Tensor:
        x = torch.relu(self.stem(self.words(words).transpose(1, 2)))
        x = torch.relu(self.normed(self.depthwise(x))).transpose(1, 2)
        q, k, v = (
            nn.functional.linear(x, w, b)
            for w, b in zip(self.qkv.weight.chunk(3), self.qkv.bias.chunk(3), strict=False)
        )
        x = torch.softmax(q @ k.transpose(1, 2) / 5, -1) @ v
        out: Tensor = (self.memory(x)[0] @ self.projection) @ self.words.weight.T
        return out


PART = Part(
    "mixed",
    (TensorSpec("words", "int64", (1, 12)),),
    (TensorSpec("scores", "float32", (1, 12, 40)),),
    {},
    lambda checkpoint: Mixed(),
)
SOURCE = {"words", "stem.0", "depthwise", "qkv", "memory.weight_ih_l0", "projection"}


def onnx_names() -> dict[str, int]:
    from edgekit.exporters.onnx.graph import from_torch
    from edgekit.exporters.onnx.naming import name_layers

    model = from_torch(PART, Mixed())
    lost = name_layers(model, Mixed())
    return lost | dict.fromkeys((node.name for node in model.graph.node), 0)


def litert_names() -> dict[str, int]:
    from edgekit.exporters.litert import file
    from edgekit.exporters.litert.convert import from_torch

    model = file.parse(from_torch(PART, Mixed()))
    return {name: 0 for name, *_ in file.weighted_operators(model, tables=True)}


def executorch_names() -> dict[str, int]:
    from edgekit.exporters.executorch.graph import capture_graph
    from edgekit.exporters.executorch.tidy import name_of

    return {name_of(node): 0 for node in capture_graph(PART, Mixed()).graph.nodes if node.op == "call_function"}


def coreml_names() -> dict[str, int]:
    from edgekit.exporters.coreml import EXPORTER

    EXPORTER.require()
    from edgekit.exporters.coreml.convert import Wish, convert_part, identifiers
    from edgekit.runtimes.coreml.quiet import quiet

    with quiet():
        names = identifiers(convert_part(PART, Mixed(), Wish("fp16", "", 16)), Mixed())
    return {name: int(is_strange(name)) for name in names.values()}


@pytest.mark.parametrize("names", [onnx_names, litert_names, executorch_names, coreml_names])
def test_every_format_knows_layers_by_the_parameters_of_the_source(names: Callable[[], Mapping[str, int]]) -> None:
    found = names()
    print(found)
    assert not any(found.values())
    # ExecuTorch cuts weights when the program runs: no layer holds a piece.
    assert found.keys() >= SOURCE - ({"qkv"} if names is executorch_names else set())


def test_weights_that_the_source_has_not_are_nobodys() -> None:
    """As where a converter gives a layer the memory of another (google-ai-edge/litert-torch#1061)."""
    rng = np.random.default_rng(0)
    first, second, other = (rng.standard_normal((24, 16)).astype(np.float32) for _ in range(3))
    source = Identifiers({"first.weight": first, "second.weight": second})
    layers = {
        "a": Converted(first.T, -1, "first"),
        "b": Converted(other, 0, "second"),
        "c": Converted(first, 0, "second"),
    }
    names, lost = source.names(layers)
    assert names == {"a": "first", "b": "unknown/b", "c": "first:1"}
    assert lost == {"b": other.size}


def test_a_recurrent_layer_is_known_by_all_its_weights() -> None:
    rng = np.random.default_rng(0)
    inputs, states, other = (rng.standard_normal((24, 6)).astype(np.float32) for _ in range(3))
    source = Identifiers({"lstm.weight_ih_l0": inputs, "lstm.weight_hh_l0": states})
    gates = np.concatenate([states[12:], states[:12]])  # which a format has in another order
    layers = {"a": Converted(inputs, 0, "lstm", [gates]), "b": Converted(inputs, 0, "lstm", [other])}
    assert source.names(layers) == ({"a": "lstm.weight_ih_l0", "b": "unknown/b"}, {"b": inputs.size})


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_folded_in_from_either_side_changes_no_name(axis: int) -> None:
    """A normalization behind a layer scales its outputs, one before it its inputs."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal((24, 24)).astype(np.float32) for _ in range(2))
    factors = rng.uniform(0.1, 3, (24, 1) if axis == 0 else (1, 24)).astype(np.float32)
    source = Identifiers({"first.weight": first, "second.weight": second})
    assert source.names({"a": Converted(second * factors, 0), "b": Converted(first.T * factors, -1)})[0] == {
        "a": "second",
        "b": "first",
    }


def test_a_layer_with_weights_of_nobody_stays_float() -> None:
    plan, _ = choose(_Known(), Wish("dynamic"))
    assert plan.floats == {"unknown/b": STRANGE}


class _Known(Candidates[str]):
    layers, convolutional = ("first", "unknown/b"), False

    def __init__(self) -> None:
        super().__init__("part", [], lambda *_: None)

    def make(self, plan: Plan) -> str:
        return str(plan)

    def run(self, made: str | None, feeds: Any) -> Any:
        return []
