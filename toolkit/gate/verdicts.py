"""The gate: is this artefact accurate enough? Three verdicts, and no pass without evidence.

Without a reference (`absolute`), a verdict says only whether the artefact is above or below the bar.

A pass needs all of: the absolute bar (a faithful copy of a useless model is a defect), a loss against fp32 on the same
samples that is small, and an interval that says so. The interval is a paired bootstrap over samples (Bisani and Ney
2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from edgekit.bench import metrics
from edgekit.bench.metrics import Metric
from edgekit.bench.statistics.paired import Estimate
from edgekit.bundles.manifest import Score, Verdict
from edgekit.common.figures import too_few
from edgekit.core import Evaluation, Predictor, Sample
from edgekit.errors import BadInput
from edgekit.tasks.evidence.independence import with_sources


def judge(
    evaluation: Evaluation,
    outputs: Sequence[Any],
    reference: Sequence[Any],
    samples: Sequence[Sample],
    data: str,
) -> Verdict:
    """The verdict on a candidate's `outputs`, compared with the fp32 `reference`'s outputs for the same samples.

    Args:
        samples: their truths are the right answers. Where any is None, both are scored against the reference's outputs
            instead: the loss is then an upper bound, and as the absolute bar cannot be judged, the verdict is never a
            pass. Their names are for metrics that draw them by speaker, their languages for metrics of words ("":
            English).
        data: name of the samples, for the manifest.

    Raises:
        BadInput: samples or right answers that the metric needs are absent.
    """
    sources = [sample.source for sample in with_sources(samples)]
    truths, languages = [sample.truth for sample in samples], [sample.language for sample in samples]
    metric = metrics.find(evaluation.metric)
    known = all(truth is not None for truth in truths)
    if metric.labelled and not known:
        raise BadInput(
            f"{data or 'the data'} has samples without a right answer; {metric.name} needs an answer for each.",
            hint="See docs/data.md for the layout.",
        )
    if lacking := metric.absent(truths):
        return not_measured(lacking)
    against = truths if known else reference
    candidate, base = (metrics.score(metric, answers, against, languages) for answers in (outputs, reference))
    names = [sample.name or str(i) for i, sample in enumerate(samples)]
    drop = metrics.difference(metric, candidate, base, names, sources)
    if metric.better == "higher":  # a loss is a loss whichever way the metric counts
        drop = Estimate(-drop.value, -drop.high, -drop.low)
    absolute = metrics.aggregate(metric, candidate) if known else None
    worst = bar(evaluation, truths) if known else None
    counted = len(set(sources))
    verdict, reason = decide(evaluation, metric, counted, absolute, drop, metric.doubt(candidate), worst)
    missed = absolute is not None and bool(_describe_miss(metric, worst, absolute))
    return Verdict(
        verdict=verdict,
        reason=reason if known else f"{reason}; scored against the reference's own answers",
        metric=evaluation.metric,
        samples=len(candidate),
        value=absolute,
        reference=metrics.aggregate(metric, base) if known else None,
        drop=drop.value,
        low=drop.low,
        high=drop.high,
        data=data,
        others={
            name: _score(metrics.find(name), outputs, reference, truths, languages) for name in evaluation.also if known
        },
        basis=basis(missed=missed, known=worst is not None),
    )


def bar(evaluation: Evaluation, truths: Sequence[Any]) -> float | None:
    """The metric's value that must be reached: the model's own, else what guessing reaches on `truths`; None: none."""
    return metrics.find(evaluation.metric).chance(truths) if evaluation.worst is None else evaluation.worst


def basis(*, missed: bool, known: bool = True) -> tuple[Literal["bar", "loss", "interval"], ...]:
    """What a verdict rests on: a missed bar decides alone; without right answers or a bar (`known`) there is none."""
    if missed:
        return ("bar",)
    return ("bar", "loss", "interval") if known else ("loss", "interval")


def absolute(evaluation: Evaluation, outputs: Sequence[Any], samples: Sequence[Sample], data: str) -> Verdict:
    """The verdict on a candidate's `outputs` without a reference: by the absolute bar alone.

    Raises:
        BadInput: as `judge`.
    """
    truths, languages = [sample.truth for sample in samples], [sample.language for sample in samples]
    metric = metrics.find(evaluation.metric)
    if lacking := metric.absent(truths):
        return not_measured(lacking)
    scored = metrics.score(metric, outputs, truths, languages)
    value, doubt = metrics.aggregate(metric, scored), metric.doubt(scored)
    worst, counted = bar(evaluation, truths), len({sample.source for sample in with_sources(samples)})
    reason = f"{metric.name} {metrics.format_value(metric, value)}, "
    reason += "no bar is known" if worst is None else f"bar {metrics.format_value(metric, worst)}"
    reason += "; loss against the reference not measured here"
    if counted < evaluation.minimum:
        doubt = doubt or f"{too_few(counted, 'sample')}: at least {evaluation.minimum}"
    verdict: Literal["above the bar", "below the bar", "undecided"] = "above the bar"
    if doubt or worst is None:
        verdict = "undecided"
    if _describe_miss(metric, worst, value):
        verdict, reason = "below the bar", _describe_miss(metric, worst, value)
    elif doubt:
        reason += f"; {doubt}"
    return Verdict(
        verdict=verdict,
        reason=reason,
        metric=metric.name,
        samples=len(scored),
        value=value,
        data=data,
        others={name: Score(value=_value(metrics.find(name), outputs, truths, languages)) for name in evaluation.also},
        basis=() if worst is None else ("bar",),
    )


def _score(
    metric: Metric, outputs: Sequence[Any], reference: Sequence[Any], truths: Sequence[Any], languages: Sequence[str]
) -> Score:
    return Score(
        value=_value(metric, outputs, truths, languages), reference=_value(metric, reference, truths, languages)
    )


def _value(metric: Metric, outputs: Sequence[Any], truths: Sequence[Any], languages: Sequence[str]) -> float:
    return metrics.aggregate(metric, metrics.score(metric, outputs, truths, languages))


def decide(
    evaluation: Evaluation,
    metric: Metric,
    samples: int,
    absolute: float | None,
    drop: Estimate,
    doubt: str = "",
    worst: float | None = None,
) -> tuple[Literal["pass", "fail", "undecided"], str]:
    """The verdict and its reason.

    Args:
        samples: independent sources among them. absolute: the candidate's value; None: without right answers.
        worst: the bar; None: there is none.
    """
    lost, low, high = (metrics.format_value(metric, value, "+") for value in drop)
    loss = f"loses {lost} against the reference (95 % interval {low} to {high})"
    allowed = metrics.format_value(metric, evaluation.drop)
    if absolute is not None and (missed := _describe_miss(metric, worst, absolute)):
        return "fail", missed
    if drop.low > evaluation.drop or (drop.value > evaluation.drop and drop.low > 0):
        return "fail", f"{loss}: more than the {allowed} allowed"
    if samples < evaluation.minimum:
        return "undecided", f"{loss}, but {too_few(samples, 'independent sample')}: at least {evaluation.minimum}"
    if doubt:
        return "undecided", f"{loss}, but {doubt}"
    if absolute is None:
        return "undecided", f"{loss}, but without right answers nobody can tell whether they are right"
    if not drop.high <= evaluation.drop:
        return "undecided", f"{loss}: the interval reaches beyond the {allowed} allowed; more data would tell"
    return "pass", f"{loss}: within the {allowed} allowed"


def reference_misses(evaluation: Evaluation, reference: Sequence[Any], samples: Sequence[Sample]) -> str:
    """Why no recipe can pass: the fp32 `reference` itself misses the bar ("" if it does not, or if that is unknown).

    Raises:
        BadInput: as `judge`.
    """
    truths, languages = [sample.truth for sample in samples], [sample.language for sample in samples]
    metric = metrics.find(evaluation.metric)
    if any(truth is None for truth in truths) or metric.absent(truths):
        return ""
    return _describe_miss(metric, bar(evaluation, truths), _value(metric, reference, truths, languages))


def _describe_miss(metric: Metric, worst: float | None, value: float) -> str:
    """How `value` misses the bar ("" if it reaches it, or there is none). What is no number reaches nothing."""
    if value == value and (worst is None or (value <= worst if metric.better == "lower" else value >= worst)):
        return ""
    value_, worst_ = (metrics.format_value(metric, number) for number in (value, worst))
    return f"{metric.name} {value_} is worse than the bar of {worst_}"


def answers(
    predictor: Predictor, samples: Sequence[Sample], progress: Callable[[int, int], None]
) -> tuple[list[Any], list[str]]:
    """The predictor's answer to every sample (`Prediction.metric_input`), and the language of each.

    The language is the sample's; without it, the language that the predictor detected (its detail ``language``), or "".

    Raises:
        BadInput: a sample cannot be used; the message names it.
    """
    out, languages = [], []
    for i, sample in enumerate(samples):
        progress(i, len(samples))
        try:
            prediction = predictor.predict(sample.input)
        except BadInput as exc:
            raise BadInput(f"sample {sample.name or i}: {exc.message}", hint=exc.hint) from exc
        out.append(prediction.metric_input)
        languages.append(sample.language or str(prediction.details.get("language") or ""))
    progress(len(samples), len(samples))
    return out, languages


def chosen_among(verdict: Verdict, tried: int, *, apart: bool = True) -> Verdict:
    """`verdict` on a candidate chosen among so many, by samples `apart` or by the same, which prove nothing."""
    told = f"{verdict.reason}; chosen among {tried} recipes"
    if apart or verdict.verdict != "pass":
        return msgspec.structs.replace(verdict, reason=told)
    return msgspec.structs.replace(verdict, verdict="undecided", reason=f"{told} on these very samples")


def not_measured(reason: str) -> Verdict:
    """The verdict where nothing was measured."""
    return Verdict(verdict="not measured", reason=reason)
