"""What a format makes of the facts of a model's parts: a model names no format, and gets its options all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgekit.core import Axis, Model, Network
from edgekit.estimation.recipes import recipe_for
from edgekit.registry import find

FACTS = {
    "whisper-base": {"careful_parts": ["encoder", "decoder"]},
    "half-cheetah-policy": {"forms": {"network": "dynamic"}},
    "proteinmpnn": {"forms": {"network": "blockwise"}},
    "piper-joe": {"forms": {"encoder": "blockwise", "decoder": "blockwise"}},
    "ecapa-tdnn": {"ranges": {"network": "entropy"}},
    "vit-fashion": {},
}


@pytest.mark.parametrize("name", FACTS)
def test_options_of_onnx(name: str) -> None:
    recipe = recipe_for(find("models", name), find("targets", "laptop"))
    assert (recipe.precision, dict(recipe.options)) == ("int8", FACTS[name])
    assert not find("exporters", "onnx").defaults(find("models", name), "fp32")


@pytest.mark.parametrize(
    ("name", "precision", "options"),
    [
        ("piper-joe", "fp16", {"sizes": {"phonemes": 256, "frames": 256}}),
        ("piper-joe", "int8", {"sizes": {"phonemes": 256, "frames": 256}}),
        ("ecapa-tdnn", "int8", {"form": "dynamic"}),
        ("vit-fashion", "int8", {}),
    ],
)
def test_options_of_litert(name: str, precision: str, options: dict[str, Any]) -> None:
    recipe = recipe_for(find("models", name), find("targets", "android"), precision, "litert")
    assert dict(recipe.options) == options


def test_what_a_model_declares_for_a_format_goes_before_its_facts() -> None:
    model: Model = find("models", "piper-joe")
    network: Network = replace(model.network, options={("litert", "fp32"): {"sizes": {"phonemes": 64}}})
    assert find("exporters", "litert").defaults(replace(model, network=network), "fp32") == {"sizes": {"phonemes": 64}}
    assert Axis(1, 4, 2).fixed is None


def test_a_preferred_precision_is_taken_where_the_target_would_make_a_smaller_one() -> None:
    model = find("models", "fracast")
    recipes = [recipe_for(model, find("targets", name)) for name in ("laptop", "ios")]
    assert [(recipe.runtime, recipe.precision) for recipe in recipes] == [("onnxruntime", "fp16"), ("coreml", "fp16")]
    assert recipe_for(model, find("targets", "laptop"), "int8").precision == "int8"
    assert recipe_for(model, find("targets", "laptop"), None, "openvino").precision == "fp16"
