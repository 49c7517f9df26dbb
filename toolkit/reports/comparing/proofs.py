"""What was proven about two bundles: accuracy, agreement and verdicts, as their reports tell them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from edgekit.bench import metrics
from edgekit.common.figures import printable
from edgekit.core import Facts, Measurement, Report

ACCURACY, AGREEMENT = "accuracy", "agreement"
Better = Literal["lower", "higher"]

#: Measurement -> the verdict in a report's facts of its bundle. From outside, so that nothing in it is trusted.
_FACTS = {ACCURACY: "gate", AGREEMENT: "agreement"}
_GOOD, _BAD = ("pass", "above the bar"), ("fail", "below the bar")
_VERDICTS = (*_GOOD, *_BAD, "undecided", "not measured")


def proofs(base: Report, new: Report) -> tuple[dict[str, Measurement], dict[str, Measurement]]:
    """The accuracy (the metric's value) and the agreement (answers that are the reference's) of both, by name.

    They are exact: the same networks give the same answers to the same samples.
    """
    better, skipped = _direction(base, new), other_data(base, new)  # under --force these are not set side by side
    return _proof_measurements(base, better, skipped), _proof_measurements(new, better, skipped)


def names(report: Report) -> list[str]:
    """Names of the rows that a comparison of `report` can have beside its measurements."""
    return [name for proof in proofs(report, report)[0] for name in (proof, f"{proof}.verdict")]


def changed_verdicts(base: Report, new: Report) -> Iterator[tuple[str, str, bool]]:
    """Verdicts that were good in `base` and are not in `new`: name, what it became, in words, and if it fails now."""
    for name in _FACTS:
        before, after = (_facts(report, name).get("verdict", "not measured") for report in (base, new))
        if before in _GOOD and after in _VERDICTS and after not in _GOOD:
            yield f"{name}.verdict", f"{before} to {after}", after in _BAD


def other_bundle(base: Report, new: Report) -> list[str]:
    """How their bundles differ in the model or the target, in words."""
    pairs = [(key, *(printable(report.bundle.get(key, "")) for report in (base, new))) for key in ("model", "target")]
    return [f"their {key}s differ ({before}; {after})" for key, before, after in pairs if before != after]


def other_data(base: Report, new: Report) -> dict[str, str]:
    """Measurements of `proofs` that are of other samples in `new`, or by another metric, and how, in words."""
    found = {}
    for name, keys in ((ACCURACY, ("metric", "data", "samples")), (AGREEMENT, ("samples", "of"))):
        before, after = (" ".join(str(_facts(report, name).get(key, "")) for key in keys) for report in (base, new))
        if before != after and None not in (_value(base, name), _value(new, name)):
            found[name] = f"their {name} is of other samples ({printable(before)}; {printable(after)})"
    return found


def _facts(report: Report, name: str) -> Facts:
    facts = report.bundle.get(_FACTS[name])
    return facts if isinstance(facts, Mapping) else {}


def _value(report: Report, name: str) -> float | None:
    """The metric's value, or the number of same answers; None if it was not measured."""
    facts = _facts(report, name)
    if name == AGREEMENT and not _number(facts.get("of")):
        return None
    return _number(facts.get("value" if name == ACCURACY else "same"))


def _number(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None


def _proof_measurements(report: Report, better: Better, skipped: Collection[str]) -> dict[str, Measurement]:
    values = {name: _value(report, name) for name in _FACTS if name not in skipped}
    units = {
        ACCURACY: str(_facts(report, ACCURACY).get("metric")),
        AGREEMENT: f"of {_facts(report, AGREEMENT).get('of')}",
    }
    ways: dict[str, Better] = {ACCURACY: better, AGREEMENT: "higher"}
    found = {name: value for name, value in values.items() if value is not None}
    return {name: Measurement(name, units[name], ((value,),), (), ways[name]) for name, value in found.items()}


def _direction(base: Report, new: Report) -> Better:
    """Which way the metric counts. A metric of the user's own is not known here: the loss against fp32, which is
    positive where the bundle is worse, tells. Where nothing tells, a change counts as worse."""
    gates = [_facts(report, ACCURACY) for report in (base, new)]
    name = str(gates[0].get("metric"))
    if name in metrics.METRICS or name == "perplexity":
        return "lower" if name == "perplexity" else metrics.METRICS[name].better
    for gate in gates:
        value, reference, drop = (_number(gate.get(key)) for key in ("value", "reference", "drop"))
        if value is not None and reference is not None and drop and value != reference:
            return "lower" if (value > reference) == (drop > 0) else "higher"
    return "lower" if (_value(new, ACCURACY) or 0.0) > (_value(base, ACCURACY) or 0.0) else "higher"
