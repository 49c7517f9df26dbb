"""The one checker of recipes: precisions, names of options, and what their values may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.toys import toy_model

import edgekit
from edgekit.core import Recipe
from edgekit.errors import Unsupported
from edgekit.exporters.common import options
from edgekit.registry import find, names
from edgekit.runtimes.resolved import recipe_of, runtime_for

RULES = {
    "form": options.values("static", 3),
    "chunks": options.number,
    "float_layers": options.layers,
    "sensitive": options.layers_or_count,
    "float_parts": options.parts,
    "forms": options.each_part(options.values("dynamic")),
    "sizes": options.sizes,
}
RIGHT = {
    "form": 3,
    "chunks": 1,
    "float_layers": ("a", "b"),
    "sensitive": 4,
    "float_parts": ["network"],
    "forms": {"frontend": "dynamic"},
    "sizes": {"samples": 1000},
}


def check(given: dict[str, Any], precision: str = "int8") -> None:
    options.check(toy_model.EXPORTER, RULES, toy_model.MODEL, Recipe("toy", precision, given))


def test_right_values_are_taken() -> None:
    check(RIGHT)
    check({"forms": "dynamic"})
    check({})


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"colour": 1}, "the toy exporter has no option 'colour'", f"It has: {', '.join(RULES)}."),
        ({"form": "statik"}, "the toy exporter's option form has no value 'statik'", "It has: static, 3."),
        ({"chunks": 0}, "option chunks cannot be 0", "It is a number from 1 on."),
        ({"chunks": "64"}, "option chunks cannot be '64'", "It is a number from 1 on."),
        ({"float_layers": "head"}, "option float_layers is a list of names, not 'head'", ""),
        ({"float_layers": 3}, "is a list of names, not 3", ""),
        ({"sensitive": 1.5}, "is a list of names, not 1.5", ""),
        ({"float_parts": ["netwrk"]}, "toy-speller has no part 'netwrk'", "It has: frontend, network."),
        ({"float_parts": "network"}, "is a list of names, not 'network'", ""),
        ({"forms": {"netwrk": "dynamic"}}, "toy-speller has no part 'netwrk'", "It has: frontend, network."),
        ({"forms": {"network": "static"}}, "option forms has no value 'static'", "It has: dynamic."),
        ({"forms": "static"}, "option forms has no value 'static'", "It has: dynamic."),
        ({"sizes": {"time": 4}}, "toy-speller has no dynamic axis 'time'", "It has: samples."),
        ({"sizes": {"samples": 1001}}, "the axis 'samples' .* cannot have the size 1001", "1 to 1000 in steps of 1."),
        ({"sizes": 4}, "is a table of names and values, not 4", ""),
    ],
)
def test_wrong_values_are_named(given: dict[str, Any], said: str, hint: str) -> None:
    with pytest.raises(Unsupported, match=said) as caught:
        check(given)
    assert caught.value.hint.endswith(hint)


def test_a_precision_that_is_not_there() -> None:
    with pytest.raises(Unsupported, match="the toy exporter has no precision 'int3'") as caught:
        check({}, "int3")
    assert caught.value.hint == "It has: fp32, int8, int4."


@pytest.mark.parametrize("name", names("exporters"))
def test_every_exporter_asks_it_before_anything_else(tmp_path: Path, name: str) -> None:
    exporter, nothing = find("exporters", name), Path("/nonexistent")
    for recipe, said in (
        (
            recipe_of(runtime_for(name), exporter.precisions[0], {"colour": 1}),
            f"the {name} exporter has no option 'colour'",
        ),
        (Recipe(name, "int3"), f"the {name} exporter has no precision 'int3'"),
    ):
        with pytest.raises(Unsupported, match=said):
            exporter.export(toy_model.MODEL, None, recipe, {}, nothing, nothing, print)  # type: ignore[arg-type]
        with pytest.raises(Unsupported, match=said):
            exporter.check_recipe(toy_model.MODEL, recipe)


def test_an_export_asks_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Unsupported, match="no option 'colour'"):
        edgekit.export("whisper-base", "laptop", options={"colour": 1}, out=tmp_path / "b", offline=True)
