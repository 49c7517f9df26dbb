"""Sizes from shapes alone, against published files and published counts."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

import edgekit
from edgekit.common import package_data
from edgekit.core import Model, Recipe
from edgekit.registry import find


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("smollm2-135m", 134_515_008),
        ("smollm2-1-7b", 1_711_376_384),
        ("qwen2-5-7b", 7_615_616_512),
        ("qwen3-4b", 4_022_468_096),
        ("qwen3-8b", 8_190_735_360),
        ("llama-3-2-1b", 1_235_814_400),
        ("llama-3-2-3b", 3_212_749_824),
        ("phi-4-mini", 3_836_021_760),
        ("gemma3-1b", 999_885_952),
        ("gemma3-270m", 268_098_176),
    ],
)
def test_parameters_are_those_of_the_model(name: str, published: int) -> None:
    assert find("models", name).network.parameters == pytest.approx(
        published, rel=2e-4
    )  # biases and norms of heads aside


@pytest.mark.parametrize(
    ("name", "precision", "bytes_"),
    [
        ("qwen2-5-coder-1-5b", "q4_k_m", 1_117_320_768),  # the packaged file
        ("smollm2-135m", "f16", 270_885_952),  # the others are llama-quantize's
        ("smollm2-135m", "q8_0", 144_811_072),
        ("smollm2-135m", "q4_k_m", 105_454_144),
    ],
)
def test_sizes_are_those_of_real_files(name: str, precision: str, bytes_: int) -> None:
    assert find("models", name).costs.size(Recipe("llama-cpp", precision)) == pytest.approx(bytes_, rel=0.003)


@pytest.mark.parametrize("precision", find("exporters", "gguf").precisions)
def test_every_precision_has_a_size(precision: str) -> None:
    for name in ("smollm2-135m", "qwen3-8b"):
        model: Model = find("models", name)
        assert (
            0.15 * model.network.parameters
            < model.costs.size(Recipe("llama-cpp", precision))
            < 4.2 * model.network.parameters
        )


def test_memory_grows_with_the_context() -> None:
    model: Model = find("models", "smollm2-135m")
    short, long = (model.costs.memory(Recipe("llama-cpp", "q8_0", {"context": context})) for context in (512, 4096))
    cache = 2 * 30 * 3 * 64 * 2
    assert long - short == (4096 - 512) * (cache + 512 * 2)
    assert model.costs.memory(Recipe("llama-cpp", "q8_0", {"context": 10**9})) == model.costs.memory(
        Recipe("llama-cpp", "q8_0", {"context": 8192})
    )


def test_dots_are_read_kindly() -> None:
    assert find("models", "qwen2.5-coder-1.5b") is find("models", "qwen2-5-coder-1-5b")


def test_an_alias_is_data_and_a_model_like_any_other() -> None:
    tables = tomllib.loads(resources.files("edgekit.models").joinpath("aliases.toml").read_text("utf-8"))
    languages = {name: table for name, table in tables.items() if "hub" in table}
    assert languages
    for name, table in languages.items():
        model = find("models", name)
        assert (model.name, model.weights.hub, model.weights.sources) == (name, table["hub"], ())
        assert model.identity.terms == table.get("terms", "")
        assert package_data.read(model.identity.licence_text)
        assert edgekit.fit(name, "laptop").verdict != "refused"
