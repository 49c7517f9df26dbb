"""How many bits the weights of each layer get, beyond those that the recipe says: more where a layer alone moves the
answers most, for its size.

A network of small weights is only as good as its worst layers, and these are often its smallest: 1 % of EfficientNet's
weights makes half of the error that all of them make in int8. So what each layer does alone is measured on the
calibration inputs. Then bytes go where they take most away (`edgekit.quantization.allocation`), until the whole is
near enough, or they are spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from edgekit.common.lazy import NDArray, np
from edgekit.numerics.parity import relative_error, spread
from edgekit.quantization.allocation import Choice, allocate
from edgekit.quantization.candidates import Candidates, Made, Outputs
from edgekit.quantization.plan import LayerPlan, Plan

Squares: TypeAlias = "NDArray[np.float64]"

#: Inputs that the whole is measured on, evenly spaced; layers alone, which takes longer, on the worst of these.
_SEEN, _ALONE = 48, 2
#: By how much the worst of them may be above the aim (for 0.035: a cosine of 0.9993), as it may be an oddity that many
#: weights would have to be kept for; and how often a choice that was too small is made again, then for less.
_SLACK, _TRIES = 1.1, 4
#: With more bytes than if this share of the weights had the most bits it would be another precision, whatever the aim.
SHARE = 0.4


def with_more_bits(
    part: Candidates[Made], weights: Mapping[str, int], plan: Plan, bits: Mapping[str, float], aim: float
) -> Plan:
    """The plan with more layers of other forms, which have more bits; as it is where all of it is near enough.

    A bit more halves the error of a layer alone; that of the whole is measured.

    Args:
        part: with at least one input. weights: layer -> how many it has. bits: form -> bits a weight, the plan's first.
        aim: relative error of the outputs that a call of the whole may make.
    """
    feeds = spread(part.feeds, _SEEN)
    small, truths, whole = part.make(plan), list[Any](), list[Any]()
    for i, one in enumerate(feeds):
        part.tell(f"measuring {part.part} on its inputs", i, len(feeds))
        truths += part.run(None, [one])
        whole += (_squares(outputs, truths[i]) for outputs in part.run(small, [one]))
    aim **= 2
    if max(map(np.max, whole)) <= aim:
        return plan
    worst = sorted(range(len(feeds)), key=lambda i: -float(whole[i].max()))[:_ALONE]
    alone: dict[str, Squares] = {}
    for i in worst:
        for name, [outputs] in part.alone(plan, [feeds[i]]):
            part.tell(f"measuring layers of {part.part} alone", len(alone), len(weights))
            alone[name] = np.append(alone.get(name, ()), _squares(outputs, truths[i]))
    settled = plan.forms
    alone = {name: squares for name, squares in alone.items() if name not in settled}
    weights = {name: weights[name] for name in alone}
    choices = _choices(weights, alone, np.concatenate([whole[i] for i in worst]), bits)
    first, *_, last = bits.values()
    budget, goal = int(sum(weights.values()) * (first + SHARE * (last - first)) / 8), aim
    for i in range(_TRIES):
        chosen = {name: one.kind for name, one in allocate(choices, budget, enough=goal).items()}
        forms = {
            name: LayerPlan(form, f"alone in {plan.form} it moves the outputs by {alone[name].max() ** 0.5:.2%}")
            for name, form in chosen.items()
            if form != plan.form
        }
        forms = {**settled, **forms}
        if forms == plan.forms:
            break
        part.tell(f"{part.part} with {len(forms)} layers in more bits", i, _TRIES)
        plan = replace(plan, forms=forms)
        tried = part.make(plan)
        answers = (answer for one in feeds for answer in part.run(tried, [one]))
        most = max(_squares(answer, truth).max() for answer, truth in zip(answers, truths, strict=True))
        if most <= _SLACK**2 * aim:
            break
        goal *= 0.9 * aim / most
    return plan


def _squares(outputs: Outputs, truth: Outputs) -> Squares:
    """Squared relative error of every output of a call."""
    return np.array([relative_error([outputs], [{name: value}]) ** 2 for name, value in truth.items()])


def _choices(
    weights: Mapping[str, int], alone: Mapping[str, Squares], whole: Squares, bits: Mapping[str, float]
) -> dict[str, list[Choice]]:
    """What each layer can be. Its loss is its part of the error of the outputs that are too far away (`whole`): their
    squares add up, as errors of layers are nearly independent of one another.
    """
    shares = whole / whole.sum()
    losses = {name: float(shares @ squares) for name, squares in alone.items()}
    by = float(shares @ whole) / max(sum(losses.values()), 1e-30)
    first = next(iter(bits.values()))
    return {
        name: [
            Choice(form, by * loss * 4.0 ** (first - count), int(weights[name] * count / 8))
            for form, count in bits.items()
        ]
        for name, loss in losses.items()
    }
