"""What examples() yields becomes arrays by the names of forward's arguments, or one error that names the example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from edgekit.errors import BadInput
from edgekit.importers.python_file.examples import MOST, Examples, collect_examples
from edgekit.importers.python_file.state_dict import load_weights


class Pair(torch.nn.Module):
    def forward(self, image: Any, tokens: Any) -> Any:
        return image, tokens


class Any_(torch.nn.Module):  # noqa: N801
    def forward(self, *tensors: Any) -> Any:
        return tensors


Collect = Callable[..., Examples]


@pytest.fixture
def collect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collect:
    monkeypatch.setattr("edgekit.importers.common.foreign.child._scratch", tmp_path)

    def call(network: torch.nn.Module, **functions: Any) -> Examples:
        module = ModuleType("mine")
        module.__file__ = "mine.py"
        vars(module).update(functions)
        return collect_examples(module, network, "mine.py")

    return call


ONE = np.ones((1, 3), np.float32)


@pytest.mark.parametrize(
    "example",
    [(ONE, torch.ones(1, 2)), [ONE, torch.ones(1, 2)], {"tokens": torch.ones(1, 2), "image": ONE}],
    ids=["tuple", "list", "dict"],
)
def test_tuples_lists_and_dicts_are_arrays_by_name_in_the_order_of_forward(example: Any, collect: Collect) -> None:
    (sample,) = collect(Pair(), examples=lambda: [example]).samples
    assert list(sample) == ["image", "tokens"]
    assert {name: (array.shape, array.dtype.name) for name, array in sample.items()} == {
        "image": ((1, 3), "float32"),
        "tokens": ((1, 2), "float32"),
    }


def test_a_bare_array_and_any_number_of_arguments(collect: Collect) -> None:
    assert list(collect(torch.nn.Linear(3, 2), examples=lambda: iter([ONE])).samples[0]) == ["input"]
    assert list(collect(Any_(), examples=lambda: [(ONE, ONE)]).samples[0]) == ["input_0", "input_1"]


def test_raw_samples_pass_through_preprocess(collect: Collect) -> None:
    answer = collect(torch.nn.Linear(3, 2), examples=lambda: ["a", "bc"], preprocess=lambda text: ONE * len(text))
    assert [float(sample["input"].mean()) for sample in answer.samples] == [1.0, 2.0]
    assert answer.preprocessed


def test_float64_is_used_as_float32_and_said(collect: Collect) -> None:
    answer = collect(torch.nn.Linear(3, 2), examples=lambda: [np.ones((1, 3))])
    assert answer.samples[0]["input"].dtype == np.float32
    assert list(answer.notes) == ["examples in float64 are used as float32"]


def test_an_endless_generator_is_cut(collect: Collect) -> None:
    def examples() -> Any:
        while True:
            yield ONE

    assert len(collect(torch.nn.Linear(3, 2), examples=examples).samples) == MOST


def test_files_of_litert_cli_have_noise_with_the_values_of_their_sample(collect: Collect) -> None:
    answer = collect(torch.nn.Linear(3, 2), get_args=lambda: (torch.tensor([[1.0, 2.0, 3.0]]),))
    assert answer.synthetic
    assert len(answer.samples) == 16
    assert all(sorted(sample["input"].ravel()) == [1, 2, 3] for sample in answer.samples)
    assert len({tuple(sample["input"].ravel()) for sample in answer.samples}) > 1


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([], "yields nothing"),
        ([ONE, ONE[None]], r"example 1: 'input' has 3 axes, \[1, 1, 3\]; in example 0 it has 2, \[1, 3\]"),
        ([ONE, ONE.astype(np.int64)], "example 1: 'input' is int64; in example 0 it is float32"),
        ([ONE, {"x": ONE}], "example 1 has the inputs x; example 0 has input"),
        ([ONE[:0]], r"example 0, 'input' is empty: \[0, 3\]"),
        ([ONE, ONE * np.nan], r"example 1, 'input' holds values that are not numbers"),
        ([np.array([[None, 1]])], "example 0, 'input' is of the dtype object"),
        ([np.array([["a"]])], "example 0, 'input' is of the dtype <U1"),
        ([(ONE, ONE)], "example 0 has 2 arrays; forward takes input"),
        ([[[1.0, 2.0]]], "'input' is no array, but list"),
        ([3], "'input' is no array, but int"),
        ([None], "'input' is no array, but NoneType"),
    ],
)
def test_what_cannot_be_used_is_one_error_with_its_place(examples: Any, words: str, collect: Collect) -> None:
    with pytest.raises(BadInput, match=words):
        collect(torch.nn.Linear(3, 2), examples=lambda: examples)


def test_a_file_without_examples_is_one_error(collect: Collect) -> None:
    with pytest.raises(BadInput, match=r"has no examples\(\)"):
        collect(torch.nn.Linear(3, 2))


@pytest.mark.parametrize("held", [[ONE, ONE * 2], np.stack([ONE, ONE * 2]), (ONE, ONE * 2)])
def test_examples_may_be_a_list_or_an_array(held: Any, collect: Collect) -> None:
    samples = collect(Any_(), examples=held).samples
    assert [float(sample["input_0"][0, 0]) for sample in samples] == [1.0, 2.0]


def test_examples_that_are_no_list(collect: Collect) -> None:
    with pytest.raises(BadInput, match="no function and no list, but int"):
        collect(Any_(), examples=3)


class Stream(torch.nn.Module):
    def forward(self, h: Any, x: Any) -> Any:
        return {"y": h * 2, "h_out": h + x}


def test_states_begin_as_zeros_and_go_on(collect: Collect) -> None:
    samples = collect(Stream(), examples=[ONE, ONE * 2, ONE], states={"h": (1, 3)}).samples
    assert [list(sample) for sample in samples] == [["h", "x"]] * 3
    assert [float(sample["h"][0, 0]) for sample in samples] == [0.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("states", "told"),
    [({"h": (1, 1)}, "no output 'h_out' of its shape"), (3, "table of names"), ({"h": "a"}, "table")],
)
def test_states_that_nobody_gives(states: Any, told: str, collect: Collect) -> None:
    with pytest.raises(BadInput, match=told):
        collect(Stream(), examples=[ONE], states=states)


def test_weights_beside_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.importers.common.foreign.child._scratch", tmp_path)
    weights = torch.nn.Linear(2, 3)
    save_file(weights.state_dict(), tmp_path / "a.safetensors")
    torch.save(weights.state_dict(), tmp_path / "b.pt")
    for name in ("a.safetensors", "b.pt"):
        network = torch.nn.Linear(2, 3)
        load_weights(network, tmp_path / name, "net.py")
        assert network.weight.equal(weights.weight)
    for wrong, told in (
        (torch.nn.Linear(2, 4), "in another shape bias, weight"),
        (torch.nn.ReLU(), "unlike the network"),
    ):
        with pytest.raises(BadInput, match=told):
            load_weights(wrong, tmp_path / "a.safetensors", "net.py")
    with pytest.raises(BadInput, match="no such file"):
        load_weights(weights, tmp_path / "c.pt", "net.py")


def test_weights_that_cannot_be_read(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 3)
    torch.save(network, tmp_path / "module.pt")  # a pickle of code
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "inside.pt")
    for name in ("module.pt", "cut.safetensors"):
        with pytest.raises(BadInput, match=f"{name}, which build.. names, holds no tensors") as refused:
            load_weights(network, tmp_path / name, "net.py")
        assert "weights_only" not in str(refused.value)
    with pytest.raises(BadInput, match="under 'state_dict'") as refused:
        load_weights(network, tmp_path / "inside.pt", "net.py")
    assert "torch.load(FILE)['state_dict']" in refused.value.hint
