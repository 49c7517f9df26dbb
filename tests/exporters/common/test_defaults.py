"""What a format makes of the facts of a model's parts: a model names no format, and gets its options all the same."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit import fit
from edgekit.estimation.recipes import recipe_for
from edgekit.quantization.plan import is_named
from edgekit.registry import find

FACTS = {
    "whisper-base": {"careful_parts": ["encoder", "decoder"]},
    "half-cheetah-policy": {"form": {"network": "dynamic"}},
    "proteinmpnn": {"form": {"network": "blockwise"}},
    "piper-joe": {"form": {"encoder": "blockwise", "decoder": "blockwise"}},
    "ecapa-tdnn": {"ranges": {"network": "entropy"}},
    "vit-fashion": {},
    "silero-vad": {"form": {"network": "blockwise"}, "float_layers": {"network": ["convolutions.2"]}},
    "openwakeword-hey-jarvis": {"float_layers": {"embedding": ["layers.0.conv"]}},
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
        ("ecapa-tdnn", "int8", {"form": {"network": "dynamic"}}),
        ("vit-fashion", "int8", {}),
        ("openwakeword-hey-jarvis", "int8", {"float_layers": {"embedding": ["layers.0.conv"]}}),
        ("ge2e-speaker", "int8", {"form": {"network": "dynamic"}, "float_layers": {"network": ["lstm.weight_ih_l0"]}}),
    ],
)
def test_options_of_litert(name: str, precision: str, options: dict[str, Any]) -> None:
    recipe = recipe_for(find("models", name), find("targets", "android"), precision, "litert")
    assert dict(recipe.options) == options


@pytest.mark.parametrize(
    ("layer", "names", "is_it"),
    [
        ("layers.0.conv", ["layers.0.conv"], True),
        ("layers.0.conv:1", ["layers.0.conv"], True),
        ("layers.0.conv", ["layers.0"], True),
        ("lstm.weight_ih_l0", ["lstm"], True),
        ("layers.01.conv", ["layers.0"], False),
        ("layers.0.conv", ["conv"], False),
    ],
)
def test_a_layer_is_named_by_its_module_in_every_format(layer: str, names: list[str], is_it: bool) -> None:
    assert is_named(layer, names) == is_it


def test_a_long_recurrence_is_refused_before_a_download() -> None:
    fits = {name: fit("ge2e-speaker", "android", runtime=name).verdict for name in ("onnxruntime", "executorch")}
    assert fits == {"onnxruntime": "fits", "executorch": "refused"}
    assert fit("silero-vad", "android", runtime="executorch").verdict == "fits"


def test_a_preferred_precision_is_taken_where_the_target_would_make_a_smaller_one() -> None:
    model = find("models", "fracast")
    recipes = [recipe_for(model, find("targets", name)) for name in ("laptop", "ios")]
    assert [(recipe.runtime, recipe.precision) for recipe in recipes] == [("onnxruntime", "fp16"), ("coreml", "fp16")]
    assert recipe_for(model, find("targets", "laptop"), "int8").precision == "int8"
    assert recipe_for(model, find("targets", "laptop"), None, "openvino").precision == "fp16"
