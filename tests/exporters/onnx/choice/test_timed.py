"""Forms of products within a share of their time in float, on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.cases.onnx_cases import export

from edgekit.core import Recipe
from edgekit.errors import ExportFailed, Unsupported
from edgekit.exporters.onnx.choice import timed
from edgekit.quantization.latencies import Latencies, Shape
from edgekit.quantization.plan import LayerPlan
from edgekit.registry import find
from edgekit.runtimes.resolved import recipe_of

INT8 = recipe_of("onnxruntime", "int8")

SHAPES = {"quiet": Shape(64, 256, 256), "loud": Shape(64, 256, 256), "small": Shape(64, 64, 64)}
#: How far a layer moves the outputs in each form.
ERRORS = {"dynamic": 0.02, "rows": 0.01, "blockwise": 0.005}
LOUDNESS = {"quiet": 1.0, "loud": 10.0, "small": 1.0}
SECONDS = {"dynamic": 1.0, "rows": 1.5, "blockwise": 3.0, "float": 4.0}


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that do not depend on the machine."""

    def seconds(self: Latencies, shape: Shape, forms: tuple[str, ...]) -> dict[str, float]:
        return {form: SECONDS[form] * shape.work for form in forms}

    monkeypatch.setattr(Latencies, "seconds", seconds)


def moved(layer: str, form: str) -> float:
    return LOUDNESS[layer] * ERRORS[form]


def share(plans: Mapping[str, LayerPlan]) -> float:
    """What the layers take, of their time in float."""
    took = sum(SECONDS[plan.form] * SHAPES[layer].work for layer, plan in plans.items())
    return took / sum(SECONDS["float"] * shape.work for shape in SHAPES.values())


@pytest.mark.parametrize("most", [0.26, 0.3, 0.4, 0.5, 0.6])
def test_the_time_is_kept_and_goes_where_it_helps_most(most: float, steady: None) -> None:
    plans = timed.within(most, moved, SHAPES)
    assert share(plans) <= most
    assert SECONDS[plans["loud"].form] >= SECONDS[plans["quiet"].form]


def test_with_next_to_no_time_all_are_fast_and_with_all_of_it_nothing_is_int8(steady: None) -> None:
    with pytest.raises(ExportFailed, match="most products stay float"):
        timed.within(1.0, moved, SHAPES)
    assert {plan.form for plan in timed.within(0.05, moved, SHAPES).values()} == {"dynamic"}


def test_the_reason_tells_what_every_form_takes_and_loses(steady: None) -> None:
    told = timed.within(0.3, moved, SHAPES)["loud"].why
    order = ("alone, on this machine: dynamic ", "20.0% away; rows ", "10.0% away; blockwise ", "5.0% away; float ")
    assert [told.index(part) for part in order] == sorted(told.index(part) for part in order)


@pytest.mark.parametrize("form", [*timed.FORMS, "float"])
def test_a_product_is_computed_in_its_form(form: str) -> None:
    """Each is a network of its own that runs, so that its time is that of the form."""
    timed.product(form, Shape(20, 64, 48))()


def test_an_export_within_a_share_of_the_time_in_float(tmp_path: Path, steady: None) -> None:
    """With next to none the fastest forms are taken; with all of it nothing need be integer, which is no int8."""
    (tmp_path / "fast").mkdir()
    artifact = export(tmp_path / "fast", "int8", options={"time": {"toy": 0.05}})
    layers = [layer for layer in artifact.census["layers"].values() if "on this machine" in layer["why"]]
    assert layers and {layer["form"] for layer in layers} == {"dynamic"}
    with pytest.raises(ExportFailed, match="most products stay float"):
        export(tmp_path, "int8", options={"time": {"toy": 1.0}})


def test_a_share_is_for_parts_that_have_products() -> None:
    onnx, model = find("exporters", "onnx"), find("models", "whisper-base")
    onnx.check_recipe(model, Recipe("onnxruntime", "int8", {"time": {"encoder": 0.4}}))
    with pytest.raises(Unsupported, match="time cannot be 0"):
        onnx.check_recipe(model, Recipe("onnxruntime", "int8", {"time": {"encoder": 0}}))
    with pytest.raises(Unsupported, match="'time' is not for openvino"):
        find("exporters", "onnx").check_recipe(model, recipe_of("openvino", "int8", {"time": {"encoder": 0.4}}))


def test_a_search_for_speed_hurries_the_parts_with_many_rows() -> None:
    onnx, model = find("exporters", "onnx"), find("models", "whisper-base")
    assert [recipe.options for recipe in onnx.faster_recipes(model, INT8)] == [
        {"time": {"encoder": s}} for s in (0.5, 0.4, 0.3)
    ]
    small = onnx.faster_recipes(model, INT8, 60_000_000)
    assert all(recipe.options["bits"] and recipe.options["time"] for recipe in small)
    assert all(model.costs.size(recipe) <= 60_000_000 for recipe in small)
    assert not onnx.faster_recipes(find("models", "efficientnet-lite0"), INT8)
