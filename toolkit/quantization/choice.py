"""Which int8 form a part gets, with which ranges and which layers left in float: decided by measured error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgekit.errors import BadInput, ExportFailed
from edgekit.numerics.parity import relative_error
from edgekit.quantization import samples
from edgekit.quantization.candidates import Candidates, Made, pooled
from edgekit.quantization.plan import ASKED, LayerPlan, Plan, Wish

__all__ = ["MOST_FLOATS", "choose", "together"]

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
    made, impossible = _made(candidates, plans)
    errors = {name: candidates.error(one) for name, (_, one) in made.items()} if candidates.measured else {}
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
    better = candidates.corrected(plan, chosen)
    if better is not None:
        errors[f"{plan}, biases corrected"] = error = candidates.error(better)
        chosen = better if error < errors[str(plan)] else chosen
    facts = {
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
    floats = {name: ASKED for name in candidates.layers if name in named}
    ranges = {"static": [wish.ranges] if wish.ranges else candidates.methods}
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


def _made(candidates: Candidates[Made], plans: list[Plan]) -> tuple[dict[str, tuple[Plan, Made]], dict[str, str]]:
    """Every plan that can be made, by its name; and why forms cannot."""
    made: dict[str, tuple[Plan, Made]] = {}
    impossible: dict[str, str] = {}
    hint = ""
    for plan in (plan for plan in plans if plan.form not in impossible):
        try:
            made[str(plan)] = plan, candidates.make(plan)
        except ExportFailed as exc:
            impossible[plan.form], hint = exc.message, exc.hint
    if not made:
        raise ExportFailed("; ".join(impossible.values()), hint=hint)
    return made, impossible


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
    truth = [pooled(candidates.run(None, few))]
    for layer, answers in candidates.alone(plan, few):
        candidates.tell(f"measuring layers of {candidates.part}", len(alone), len(candidates.layers))
        alone[layer] = relative_error([pooled(answers)], truth)
    before = relative_error([pooled(candidates.run(made, few))], truth)
    moves = f"from {before:.1%} away from float to" if word == "float" else "by"
    worst = sorted(alone, key=lambda layer: alone[layer], reverse=word == "int8")[: count or MOST_FLOATS]
    for number in [len(worst)] if count else range(1, len(worst) + 1):
        floats = {layer: f"alone in {word} it moves the outputs {moves} {alone[layer]:.1%}" for layer in worst[:number]}
        plan = replace(plan, floats={**head, **floats})
        made = candidates.make(plan)
        if not count and candidates.error(made) <= candidates.most:
            break
    return plan, made


def together(
    moved: Callable[[str, str], float], layers: Sequence[str], limits: Mapping[str, float], aim: float
) -> dict[str, LayerPlan]:
    """Layer -> its form: the cheapest ones with which all layers together move the outputs by at most `aim`.

    Errors of layers are nearly independent of one another, so their squares add up. Where the sum is too large the
    layer that moves the outputs most gets its next form, as long as there is one.

    Args:
        moved: (layer, form) -> how far the outputs move (relative root mean square) where the layer alone has the form.
        limits: form -> the most that a layer alone may move them, the cheapest form first. One that is beyond the limit
            of every form stays float.
    """
    forms, tried = list(limits), {layer: list[tuple[str, float]]() for layer in layers}

    def next_form(layer: str) -> None:
        """The next form that is within its limit and better than the last; else the last; float if there is none."""
        seen = tried[layer]
        before = seen[-1] if seen and seen[-1][1] <= limits[seen[-1][0]] else None
        for form in forms[len(seen) :]:
            seen.append((form, moved(layer, form)))
            if seen[-1][1] <= limits[form] and (before is None or seen[-1][1] < before[1]):
                chosen[layer] = seen[-1]
                return

    chosen: dict[str, tuple[str, float]] = {}
    for layer in layers:
        next_form(layer)
    while sum(error**2 for _, error in chosen.values()) > aim**2:
        left = [layer for layer in chosen if len(tried[layer]) < len(forms)]
        if not left:
            break
        next_form(max(left, key=lambda layer: chosen[layer][1]))
    return {layer: LayerPlan(*_told(chosen.get(layer), tried[layer])) for layer in layers}


def _told(chosen: tuple[str, float] | None, tried: Sequence[tuple[str, float]]) -> tuple[str, str]:
    """The form of a layer, and why."""
    (first, error), *others = tried
    why = ", ".join([f"{first} alone moves the outputs by {error:.1%}", *(f"{form} by {e:.1%}" for form, e in others)])
    return (chosen[0], why) if chosen else ("float", f"{why}: too far")
