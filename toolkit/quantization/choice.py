"""Which int8 form a part gets, with which ranges and which layers left in float: decided by measured error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from edgekit.core import Facts
from edgekit.errors import BadInput, ExportFailed
from edgekit.quantization import samples
from edgekit.quantization.candidates import Candidates, Made, Truth
from edgekit.quantization.plan import ASKED, LayerPlan, Plan, Wish, is_named
from edgekit.quantization.weights.identifiers import STRANGE, is_strange

#: What is better has at most this share of the error.
_CLEARLY = 0.95
#: Layers that may stay float because of `Candidates.most`; if that is not enough, a gate decides.
MOST_FLOATS = 8


def choose(candidates: Candidates[Made], wish: Wish) -> tuple[Plan, Made]:
    """What `wish` says; where it leaves a choice, what moves the outputs least. The plan, and what was made of it.

    Raises:
        BadInput: the static form needs more, or other, samples. ExportFailed: the format cannot do it.
    """
    left_out = candidates.bound()
    plans, reason = _plans(candidates, wish)
    made, errors, impossible = _try_plans(candidates, plans)
    best = _best(made, errors)
    why = f"{best}: {reason}"
    if len(errors) > 1:
        why += "; away from float: " + ", ".join(f"{name} {error:.1%}" for name, error in errors.items())
    plan, chosen = made[best]
    if wish.float_layers is None and candidates.head and errors and len(candidates.head) < len(candidates.layers):
        plan, chosen = _with_head(candidates, plan, chosen, errors)
    count = wish.float_layers if isinstance(wish.float_layers, int) else 0
    if count or (wish.float_layers is None and errors.get(str(plan), 0.0) > candidates.most):
        plan, chosen = _with_floats(candidates, plan, chosen, count)
        errors[str(plan)] = candidates.error(chosen)
    better = candidates.correct_biases(plan, chosen)
    if better is not None:
        errors[f"{plan}, biases corrected"] = error = candidates.error(better)
        chosen = better if error < errors[str(plan)] else chosen
    facts: Facts = {
        "form": plan.form,
        "ranges": plan.ranges,
        "samples": len(candidates.feeds),
        "errors": {name: round(error, 5) for name, error in errors.items()},
        "impossible": impossible,
        "left out": left_out,
    }
    return replace(plan, why=why, facts=facts), chosen


def _plans(candidates: Candidates[Made], wish: Wish) -> tuple[list[Plan], str]:
    """What to try, and why these forms."""
    short = samples.shortage(candidates.feeds)
    if wish.form:
        forms, why = [wish.form], ASKED
    elif candidates.convolutional:
        forms, why = ["static"], "convolutions do most of the work"
    elif not short:
        forms, why = ["static", "dynamic"], "products of matrices do most of the work, so the closest to float"
    else:
        forms, why = ["dynamic"], f"too few samples to calibrate by ({short})"
    if "static" in forms:
        samples.check(candidates.feeds, candidates.part)
    named = wish.float_layers if isinstance(wish.float_layers, tuple) else ()
    floats = {name: ASKED for name in candidates.layers if is_named(name, named)}
    floats |= {name: STRANGE for name in candidates.layers if is_strange(name)}
    ranges = {"static": [wish.ranges] if wish.ranges else candidates.kinds}
    return [Plan(form, method, floats) for form in forms for method in ranges.get(form, [""])], why


def _best(made: Mapping[str, tuple[Plan, Made]], errors: Mapping[str, float]) -> str:
    """The plan with the least error; of a form, the first kind of range unless another is clearly better.

    Few inputs are measured, and those to come reach further than they do: what cuts no value off is safer.
    """
    first = dict[str, str]()
    for name, (plan, _) in made.items():
        before = first.setdefault(plan.form, name)
        if errors.get(name, 0.0) < _CLEARLY * errors.get(before, 0.0):
            first[plan.form] = name
    return min(first.values(), key=lambda name: errors.get(name, 0.0))


def _try_plans(
    candidates: Candidates[Made], plans: list[Plan]
) -> tuple[dict[str, tuple[Plan, Made]], dict[str, float], dict[str, str]]:
    """Every plan that can be made and runs, by its name; errors, where inputs are measured; and why forms cannot."""
    made: dict[str, tuple[Plan, Made]] = {}
    errors: dict[str, float] = {}
    impossible: dict[str, str] = {}
    hint = ""
    for plan in (plan for plan in plans if plan.form not in impossible):
        try:
            one = candidates.make(plan)
            if candidates.measured:
                errors[str(plan)] = candidates.error(one)
            made[str(plan)] = plan, one
        except ExportFailed as exc:
            impossible[plan.form], hint = exc.message, exc.hint
    if not made:
        raise ExportFailed("; ".join(impossible.values()), hint=hint)
    return made, errors, impossible


def _with_head(candidates: Candidates[Made], plan: Plan, made: Made, errors: dict[str, float]) -> tuple[Plan, Made]:
    """With the first layers in float where that clearly helps; its error is put among `errors`."""
    before = errors[str(plan)]
    floats = dict.fromkeys(candidates.head, "the first layers: as fast in float, and int8 clearly loses there")
    tried = replace(plan, floats=floats)
    kept = candidates.make(tried)
    errors[str(tried)] = error = candidates.error(kept)
    return (tried, kept) if error <= _CLEARLY * before else (plan, made)


def _with_floats(candidates: Candidates[Made], plan: Plan, made: Made, count: int) -> tuple[Plan, Made]:
    """With the `count` most sensitive layers in float; for 0, with as few as bring the error below the bound."""
    if not candidates.feeds:
        raise BadInput(
            f"the sensitive layers of the part {candidates.part!r} are found by measuring, and there was no input.",
            hint="Give a folder of real inputs with --calibration DIR, or name the layers.",
        )
    head = plan.floats
    few, word, alone = candidates.few, candidates.alone_in, dict[str, float]()
    truth = Truth(candidates.run(None, few))
    for layer, answers in candidates.alone(plan, few):
        candidates.tell(f"measuring layers of {candidates.part}", len(alone), len(candidates.layers))
        alone[layer] = truth.error(answers)
    before = truth.error(candidates.run(made, few))
    moves = f"from {before:.1%} away from float to" if word == "float" else "by"
    worst = sorted(alone, key=lambda layer: alone[layer], reverse=word == "int8")[: count or MOST_FLOATS]
    for number in [len(worst)] if count else range(1, len(worst) + 1):
        floats = {layer: f"alone in {word} it moves the outputs {moves} {alone[layer]:.1%}" for layer in worst[:number]}
        plan = replace(plan, floats={**head, **floats})
        made = candidates.make(plan)
        if not count and candidates.error(made) <= candidates.most:
            break
    return plan, made


@dataclass(frozen=True)
class Bounds:
    """What layers that are chosen together may cost, and how far they may move the outputs.

    Attributes:
        limits: form -> the most that a layer alone may move them (relative root mean square), the cheapest form first.
            A layer that is beyond the limit of every form stays float.
        costs: form, and "float" -> time of a product in it, as a multiple of its time in the cheapest form.
        aim: what all layers together may move the outputs.
        near: less than that, by changes that are worth it: of the squared error they take away `worth` times the share
            that they add to the time of all layers.
    """

    limits: Mapping[str, float]
    costs: Mapping[str, float] = field(default_factory=dict)
    aim: float = math.inf
    near: float = math.inf
    worth: float = 0.0


def together(
    moved: Callable[[str, str], float],
    layers: Mapping[str, float],
    bounds: Bounds,
    settled: Mapping[str, str] | None = None,
) -> dict[str, LayerPlan]:
    """Layer -> its form: the cheapest ones with which all layers together move the outputs by at most the aim.

    Errors of layers are nearly independent of one another, so their squares add up. Where the sum is too large, the
    change of a layer that takes most away for its time is made, and so on.

    Args:
        moved: (layer, form) -> how far the outputs move (relative root mean square) where the layer alone has the form.
        layers: layer -> its multiplications. settled: layer -> the form that it has if it does not become float.
    """
    settled = settled or {}
    if math.isinf(bounds.aim):
        layers = {layer: size for layer, size in layers.items() if layer not in settled}
    forms = {layer: {settled[layer]: math.inf} if layer in settled else bounds.limits for layer in layers}
    tried: dict[str, dict[str, float]] = {layer: {} for layer in layers}
    chosen = {layer: _within(layer, moved, forms[layer], tried[layer]) for layer in layers}
    whole = sum(layers.values())
    while (total := math.sqrt(sum(error**2 for _, error in chosen.values()))) > min(bounds.aim, bounds.near):
        # A form that was not tried counts as exact, until it is the best of all: then it is tried.
        changes = [
            ((before**2 - tried[layer].get(form, 0.0) ** 2) / cost, layer, form)
            for layer, (now, before) in chosen.items()
            for form in (*forms[layer], "float")
            if (cost := layers[layer] * (bounds.costs[form] - bounds.costs[now])) > 0
        ]
        gain, layer, form = max(changes, default=(0.0, "", ""))
        if gain <= (bounds.worth * total**2 / whole if total <= bounds.aim else 0.0):
            break
        if form != "float" and form not in tried[layer]:
            tried[layer][form] = moved(layer, form)
            continue
        chosen[layer] = form, tried[layer].get(form, 0.0)
    return {
        layer: LayerPlan(form, _explain_form(form, tried[layer], forms[layer])) for layer, (form, _) in chosen.items()
    }


def _within(
    layer: str, moved: Callable[[str, str], float], limits: Mapping[str, float], tried: dict[str, float]
) -> tuple[str, float]:
    """The cheapest form of a layer that is within its limit, and its error; what was measured is put into `tried`."""
    for form, most in limits.items():
        tried[form] = error = moved(layer, form)
        if error <= most:
            return form, error
    return "float", 0.0


def _explain_form(form: str, tried: Mapping[str, float], limits: Mapping[str, float]) -> str:
    """Why a layer has its form."""
    (first, error), *others = tried.items()
    why = ", ".join([f"{first} alone moves the outputs by {error:.1%}", *(f"{name} by {e:.1%}" for name, e in others)])
    if form != "float":
        return why
    far = all(error > limits[name] for name, error in tried.items())
    return f"{why}: too far" if far else f"{why}: much of the error of all layers, for its time"
