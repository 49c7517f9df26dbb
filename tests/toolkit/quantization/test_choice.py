"""The searches for a plan, on a part of plain numbers whose errors are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.core import Feeds
from edgekit.errors import BadInput, ExportFailed, Unsupported
from edgekit.quantization.allocation import Choice, allocate
from edgekit.quantization.bits import with_more_bits
from edgekit.quantization.candidates import Candidates, Truth
from edgekit.quantization.choice import Bounds, choose, together
from edgekit.quantization.plan import ASKED, LayerPlan, Plan, Wish
from edgekit.quantization.weights.biases import correct
from edgekit.quantization.weights.identifiers import STRANGE

FEEDS: list[Feeds] = [{"x": np.random.default_rng(i).random(8)} for i in range(20)]
#: What a layer in int8 adds to the outputs.
LAYERS = {"first": 0.3, "middle": 0.01, "last": 0.1}
FORMS = {"static (min-max)": 0.04, "static (percentile)": -0.06, "dynamic": 0.03, "weight-only": 0.0}


class Numbers(Candidates[Plan]):
    """What is made of a plan is the plan itself; every error is relative to outputs of 1."""

    layers = tuple(LAYERS)
    convolutional = False
    refused: Mapping[str, str] = {}
    shift: float | None = None

    extra: Mapping[str, float] = {}

    def __init__(self, feeds: Sequence[Feeds] = FEEDS, **facts: Any) -> None:
        super().__init__("part", feeds, lambda *_: None)
        vars(self).update(facts)

    def make(self, plan: Plan) -> Plan:
        if plan.form in self.refused:
            raise ExportFailed(self.refused[plan.form], hint="Choose another.")
        return plan

    def run(self, made: Plan | None, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
        error = 0.0
        if made is not None:
            form = str(Plan(made.form, made.ranges))
            error = FORMS.get(form, 0.0) + self.extra.get(form, 0.0)
            error += sum(moved for layer, moved in LAYERS.items() if layer not in made.floats)
            error += float(made.why or 0)
        return [{"y": np.full(4, 1 + error)} for _ in feeds]

    def correct_biases(self, plan: Plan, made: Plan) -> Plan | None:
        return None if self.shift is None else Plan(plan.form, plan.ranges, plan.floats, why=str(self.shift))


def test_the_form_and_the_ranges_nearest_to_float() -> None:
    plan, made = choose(Numbers(), Wish())
    assert str(plan) == str(made) == "static (percentile)"
    assert list(plan.facts["errors"]) == ["static (min-max)", "static (percentile)", "dynamic"]
    assert plan.facts["errors"]["dynamic"] == pytest.approx(0.44)
    assert plan.facts["samples"] == 20
    assert plan.why.startswith("static (percentile): products of matrices do most")
    assert "static (min-max) 45.0%, static (percentile) 35.0%, dynamic 44.0%" in plan.why


def test_ranges_that_cut_values_off_must_be_clearly_better() -> None:
    """5 % of the error: the few inputs that are measured cannot tell less apart."""
    for extra, chosen in ((0.0, "percentile"), (0.07, "percentile"), (0.08, "min-max"), (0.09, "min-max")):
        plan, _ = choose(Numbers(extra={"static (percentile)": extra}), Wish("static"))
        assert plan.ranges == chosen


@pytest.mark.parametrize(("head", "kept"), [(["first"], True), (["middle"], False), ([], False), (list(LAYERS), False)])
def test_the_first_layers_stay_float_where_that_clearly_helps(head: list[str], kept: bool) -> None:
    """Never all of them: nothing would be int8."""
    plan, made = choose(Numbers(head=head), Wish("static", "min-max", None))
    assert list(plan.floats) == list(made.floats) == (head if kept else [])
    assert ("static (min-max), 1 in float" in plan.facts["errors"]) is (len(head) == 1)
    assert not kept or plan.floats["first"].startswith("the first layers: as fast in float")


def test_the_first_layers_are_int8_where_the_recipe_names_others() -> None:
    for wish in (Wish("static", "min-max", ("last",)), Wish("static", "min-max", 1), Wish("static", "min-max")):
        plan, _ = choose(Numbers(head=["middle"]), wish)
        assert "middle" not in plan.floats
    plan, _ = choose(Numbers(head=["first"], most=0.1), Wish("static", "min-max", None))
    assert list(plan.floats) == ["first", "last"]  # and more, where the bound demands it


@pytest.mark.parametrize(
    ("wish", "facts", "tried", "why"),
    [
        (Wish(form="dynamic"), {}, ["dynamic"], ASKED),
        (Wish(ranges="min-max"), {}, ["static (min-max)", "dynamic"], "products"),
        (Wish(), {"convolutional": True}, ["static (min-max)", "static (percentile)"], "convolutions"),
        (Wish(), {"feeds": FEEDS[:3]}, ["dynamic"], r"too few samples to calibrate by \(3\)"),
        (Wish(), {"feeds": []}, [], r"too few samples to calibrate by \(0\)"),
    ],
)
def test_what_is_tried_and_why(wish: Wish, facts: dict[str, Any], tried: list[str], why: str) -> None:
    plan, _ = choose(Numbers(**facts), wish)
    assert list(plan.facts["errors"]) == tried
    assert why.replace("\\", "") in plan.why


class Unwilling(Numbers):
    """What is made in static int8 does not run."""

    def run(self, made: Plan | None, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
        if made is not None and made.form == "static":
            raise ExportFailed("the runtime refuses it")
        return super().run(made, feeds)


def test_a_form_that_does_not_run_is_as_one_that_cannot_be_made() -> None:
    plan, made = choose(Unwilling(), Wish())
    assert (plan.form, made.form) == ("dynamic", "dynamic")
    assert plan.facts["impossible"] == {"static": "the runtime refuses it"}
    with pytest.raises(ExportFailed, match="the runtime refuses it"):
        choose(Unwilling(), Wish(form="static"))


def test_a_form_that_cannot_be_made() -> None:
    plan, _ = choose(Numbers(refused={"static": "no"}), Wish())
    assert (plan.form, plan.facts["impossible"]) == ("dynamic", {"static": "no"})
    with pytest.raises(ExportFailed, match="no; never") as caught:
        choose(Numbers(refused={"static": "no", "dynamic": "never"}), Wish())
    assert (caught.value.message, caught.value.hint) == ("no; never", "Choose another.")


def test_static_needs_samples() -> None:
    with pytest.raises(BadInput, match="'part'; there were 3"):
        choose(Numbers(FEEDS[:3], convolutional=True), Wish())


def test_layers_that_the_recipe_keeps_in_float() -> None:
    wish = Wish("static", "min-max", ("last", "elsewhere"))
    plan, made = choose(Numbers(), wish)
    assert plan.floats == {"last": ASKED} == made.floats
    assert plan.layers({"first": "static", "last": "float", "other": "float"}, unable="no kernel") == {
        "first": LayerPlan("static", plan.why),
        "last": LayerPlan("float", ASKED),
        "other": LayerPlan("float", "no kernel"),
    }
    wish.check_layers("part", ["last", "elsewhere"])
    with pytest.raises(Unsupported, match="part has no layer 'elsewhere'"):
        wish.check_layers("part", ["last"])


def test_the_most_sensitive_layers_in_float() -> None:
    plan, _ = choose(Numbers(), Wish("static", "min-max", 2))
    assert list(plan.floats) == ["first", "last"]
    assert plan.floats["first"] == "alone in float it moves the outputs from 45.0% away from float to 15.0%"
    assert plan.facts["errors"] == {"static (min-max)": 0.45, "static (min-max), 2 in float": 0.05}
    with pytest.raises(BadInput, match="there was no input"):
        choose(Numbers([]), Wish("dynamic", float_layers=2))


def test_as_few_layers_in_float_as_the_bound_demands() -> None:
    """Only where the recipe leaves it open."""
    for wish, most, floats in ((None, 0.2, 1), (None, 0.1, 2), (None, 0.5, 0), (None, 0.001, 3), ((), 0.1, 0)):
        plan, _ = choose(Numbers(most=most), Wish("static", "min-max", wish))
        assert list(plan.floats) == ["first", "last", "middle"][:floats]


def test_layers_measured_alone_in_int8() -> None:
    class Alone(Numbers):
        alone_in = "int8"

        def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Any:
            for layer, moved in LAYERS.items():
                yield layer, [{"y": np.full(4, 1 + moved)} for _ in feeds]

    plan, _ = choose(Alone(), Wish("static", "min-max", 1))
    assert plan.floats == {"first": "alone in int8 it moves the outputs by 30.0%"}


@pytest.mark.parametrize(("shift", "kept"), [(-0.1, True), (0.1, False)])
def test_corrected_biases_only_where_they_help(shift: float, kept: bool) -> None:
    plan, made = choose(Numbers(shift=shift), Wish("static", "min-max"))
    assert plan.facts["errors"]["static (min-max), biases corrected"] == pytest.approx(0.45 + shift)
    assert (made.why == str(shift)) is kept


COSTS = {"dynamic": 1.0, "rows": 1.25, "float": 5.0}
BOUNDS = Bounds({"dynamic": 0.03, "rows": 0.03}, COSTS, aim=0.04)


def formed(errors: Mapping[str, Mapping[str, float]], bounds: Bounds, **sizes: float) -> dict[str, str]:
    """Layer -> its form; a layer has one multiplication, if `sizes` does not say more."""
    layers = {layer: sizes.get(layer, 1.0) for layer in errors}
    return {layer: plan.form for layer, plan in together(lambda name, form: errors[name][form], layers, bounds).items()}


def test_a_layer_gets_the_cheapest_form_that_is_near_enough_alone() -> None:
    errors = {"near": {"dynamic": 0.01}, "bad": {"dynamic": 0.2, "rows": 0.02}, "worst": {"dynamic": 0.2, "rows": 0.1}}
    plans = together(lambda layer, form: errors[layer][form], dict.fromkeys(errors, 1.0), BOUNDS)
    assert plans["near"] == LayerPlan("dynamic", "dynamic alone moves the outputs by 1.0%")
    assert plans["bad"] == LayerPlan("rows", "dynamic alone moves the outputs by 20.0%, rows by 2.0%")
    assert plans["worst"].form == "float"
    assert plans["worst"].why.endswith("rows by 10.0%: too far")


def test_what_takes_most_away_for_its_time_is_changed_until_all_are_near_enough() -> None:
    errors = {
        "gains": {"dynamic": 0.03, "rows": 0.001},
        "gains nothing": {"dynamic": 0.03, "rows": 0.03},
        "small": {"dynamic": 0.01, "rows": 0.01},
    }
    assert formed(errors, BOUNDS) == {"gains": "rows", "gains nothing": "dynamic", "small": "dynamic"}
    nearer = replace(BOUNDS, aim=0.02)
    assert formed(errors, nearer) == {"gains": "rows", "gains nothing": "float", "small": "dynamic"}
    plans = together(lambda layer, form: errors[layer][form], dict.fromkeys(errors, 1.0), nearer)
    assert plans["gains nothing"].why.endswith("rows by 3.0%: much of the error of all layers, for its time")


def test_layers_come_nearer_where_that_is_worth_its_time() -> None:
    errors = {f"l{i}": {"dynamic": 0.006, "rows": 0.006} for i in range(9)} | {"worst": {"dynamic": 0.03, "rows": 0.03}}
    bounds = replace(BOUNDS, near=0.02, worth=3.0)
    assert set(formed(errors, bounds).values()) == {"dynamic"}, "74 % of the squared error for 40 % of the time"
    forms = formed(errors, bounds, worst=0.5)
    assert forms.pop("worst") == "float", "for 21 % of the time"
    assert set(forms.values()) == {"dynamic"}
    assert set(formed(errors, replace(bounds, near=0.036), worst=0.5).values()) == {"dynamic"}, "near enough as it is"


def test_a_settled_layer_keeps_its_form_or_becomes_float() -> None:
    errors = {"many": {"dynamic": 0.01, "rows": 0.01}, "head": {"blockwise": 0.015}}
    bounds = replace(BOUNDS, costs={**COSTS, "blockwise": 1.0}, near=0.016, worth=3.0)
    layers = {"many": 100.0, "head": 1.0}

    def forms(bounds: Bounds) -> dict[str, str]:
        plans = together(lambda name, form: errors[name][form], layers, bounds, {"head": "blockwise"})
        return {layer: plan.form for layer, plan in plans.items()}

    assert forms(bounds) == {"many": "dynamic", "head": "float"}
    assert forms(replace(bounds, near=0.02)) == {"many": "dynamic", "head": "blockwise"}
    assert forms(Bounds(bounds.limits)) == {"many": "dynamic"}


def test_no_more_is_tried_than_is_needed() -> None:
    asked: list[tuple[str, str]] = []

    def moved(layer: str, form: str) -> float:
        asked.append((layer, form))
        return 0.01 if layer == "small" else 0.025 if form == "dynamic" else 0.001

    together(moved, {"one": 1.0, "small": 1.0}, replace(BOUNDS, aim=0.05))
    assert asked == [("one", "dynamic"), ("small", "dynamic")]
    together(moved, {"one": 1.0, "small": 1.0}, replace(BOUNDS, aim=0.02))
    assert asked[2:] == [("one", "dynamic"), ("small", "dynamic"), ("one", "rows")]


def test_a_large_part_is_measured_on_fewer_samples_and_says_so() -> None:
    plan, _ = choose(Numbers(size=10_000_000), Wish(ranges="min-max"))
    assert plan.facts["left out"] == {"measured": "6 of 10 samples, as every call has 10 M weights"}
    assert choose(Numbers(size=1000), Wish(ranges="min-max"))[0].facts["left out"] == {}


def test_biases_are_corrected_first_to_last() -> None:
    """What a layer gives is asked for when those before it are corrected."""
    weights = {"first": 2.0, "unknown": 1.0, "second": 3.0}
    biases = dict.fromkeys(weights, 0.0)

    def rounded() -> Any:
        value = 1.1  # 1 in float
        for name, weight in weights.items():
            value = value * weight + biases[name]
            yield name, value
            value += biases[name]

    correct({"first": 2.0, "second": 6.0}, rounded(), lambda name, by: biases.update({name: by}))
    assert biases == {"first": pytest.approx(-0.2), "unknown": 0.0, "second": pytest.approx(0.0)}


#: Form -> bits a weight. A bit more halves what a layer moves.
BITS = {"int4": 4.0, "int6": 6.0, "int8": 8.0}


class Weighed(Numbers):
    """Errors of layers are independent: their squares add up. One input is worse than the others."""

    def run(self, made: Plan | None, feeds: Sequence[Feeds]) -> list[dict[str, NDArray[Any]]]:
        forms = {} if made is None else {name: self._form(made, name) for name in LAYERS}
        return [{"y": self._moved(forms, feed)} for feed in feeds]

    def alone(self, plan: Plan, feeds: Sequence[Feeds]) -> Any:
        for layer in LAYERS:
            yield layer, [{"y": self._moved({layer: plan.form}, feed)} for feed in feeds]

    def _form(self, plan: Plan, layer: str) -> str:
        return plan.forms[layer].form if layer in plan.forms else plan.form

    def _moved(self, forms: Mapping[str, str], feed: Feeds) -> NDArray[Any]:
        out = np.zeros(4)
        out[3] = 1
        by = 1.0 if feed is FEEDS[13] else 0.1
        out[:3] = [LAYERS[name] * 2 ** (4 - BITS[forms[name]]) * by if name in forms else 0.0 for name in LAYERS]
        return out


@pytest.mark.parametrize(
    ("aim", "more"),
    [
        (0.4, {}),
        (0.2, {"first": "int6"}),
        (0.04, {"first": "int8", "last": "int6"}),
    ],
)
def test_layers_that_have_more_bits(aim: float, more: Mapping[str, str]) -> None:
    plan = with_more_bits(Weighed(), {"first": 10, "middle": 500, "last": 50}, Plan("int4"), BITS, aim)
    assert {name: own.form for name, own in plan.forms.items()} == more
    assert not more or plan.forms["first"].why == "alone in int4 it moves the outputs by 30.00%"


def test_a_layer_that_is_most_of_the_weights_has_no_more_bits() -> None:
    weights = {"first": 900, "middle": 50, "last": 50}
    plan = with_more_bits(Weighed(), weights, Plan("int4"), {"int4": 4, "int8": 8}, 0.05)
    assert {name: own.form for name, own in plan.forms.items()} == {"last": "int8", "middle": "int8"}


def test_what_is_settled_stays() -> None:
    strange = LayerPlan("int8", STRANGE)
    plan = Plan("int4", forms={"middle": strange})
    made = with_more_bits(Weighed(), {"first": 10, "last": 50}, plan, {"int4": 4, "int8": 8}, 0.05)
    assert made.forms["middle"] == strange and set(made.forms) == {"first", "middle"}


@given(
    st.dictionaries(st.text(max_size=3), st.tuples(st.floats(0, 10), st.integers(1, 100)), min_size=1, max_size=8),
    st.floats(0, 20),
)
def test_no_more_is_spent_than_is_needed(layers: dict[str, tuple[float, int]], enough: float) -> None:
    choices = {
        name: [Choice("few", loss, size), Choice("many", loss / 16, 2 * size)] for name, (loss, size) in layers.items()
    }
    chosen = allocate(choices, 10_000, enough)
    left = sum(one.loss for one in chosen.values())
    assert left <= enough + 1e-9 or all(one.kind == "many" or not one.loss for one in chosen.values())
    more = [name for name, one in chosen.items() if one.kind == "many"]
    gains = [choices[name][0].loss - choices[name][1].loss for name in more]
    assert not more or left + max(gains) > enough - 1e-9  # without the last that got more, it was not enough


def test_large_columns_do_not_hide_small_ones() -> None:
    """Boxes in pixels beside scores up to 1, which are all wrong here; a class that is never seen is nothing."""
    rng = np.random.default_rng(0)
    boxes, scores = rng.uniform(0, 640, (3, 1, 4, 50)), rng.uniform(0, 1, (3, 1, 6, 50)) ** 8
    scores[:, :, 5] *= 1e-9
    calls = [np.concatenate([one, other], 1).astype(np.float32) for one, other in zip(boxes, scores, strict=True)]
    truth = Truth([{"y": call} for call in calls])
    made = [np.concatenate([call[:, :4], 0 * call[:, 4:]], 1) for call in calls]
    assert truth.unlike
    assert truth.error([{"y": call} for call in calls]) == 0
    assert truth.error([{"y": call} for call in made]) == pytest.approx(1)
    assert not Truth([{"y": call[:, :4]} for call in calls]).unlike
