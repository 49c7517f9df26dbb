"""Accuracy metrics by name. A metric is one function from outputs and truths to one (error, weight) pair per sample.

Pairs per sample, rather than one number, are what lets a gate put an interval around the number and compare two models
on the same samples (`edgekit.bench.statistics.paired`). To add a metric: write its function, and one entry in
`METRICS`. Where a value is not a plain ratio of sums, `aggregate` says what it is instead (perplexity: ``exp`` of the
ratio; equal error rate: pairs of (score, is_target) and the crossing point).
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from edgekit.bench.metrics import (
    activity,
    answers,
    areas,
    boxes,
    detection,
    forecasts,
    notes,
    points,
    recommendations,
    recovery,
    verification,
)
from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics import mcnemar
from edgekit.bench.statistics.paired import Estimate, Pair, paired_bootstrap, ratio, widen
from edgekit.errors import BadInput, UnknownName, need


class Score(Protocol):
    """Outputs and truths of the same samples, in the same order -> a pair (error, weight) per sample."""

    def __call__(self, outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]: ...


@dataclass(frozen=True)
class Metric:
    """How well outputs match truths.

    Attributes:
        name: such as ``"wer"``. unit: ``"1"`` for a fraction.
        better: which direction is an improvement.
        score: see `Score`. `language` (an ISO 639-1 code) is a property of the data; metrics without text ignore it.
        aggregate: pairs -> value in `unit`; raises ZeroDivisionError where it is not defined.
        difference: the candidate's pairs, the reference's, and the samples' names -> candidate minus reference with its
            95 % interval. None: Tango's interval where each sample is right or wrong, else `paired_bootstrap`.
        chance: truths -> the bar where no other is known: just more than guessing reaches. None: that is not known.
        labelled: whether it means nothing against another model's answers in place of the truth.
        absent: truths -> what they lack for it to be defined ("" if nothing); a gate then measures nothing.
        doubt: pairs -> why a good value of them proves nothing ("" if it does); a gate is then undecided.
        own: whether it is a function of the user's, which may read what nobody knows.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]
    score: Score
    aggregate: Callable[[Sequence[Pair]], float] = ratio
    difference: Callable[[Sequence[Pair], Sequence[Pair], Sequence[str]], Estimate] | None = None
    chance: Callable[[Sequence[Any]], float | None] = lambda truths: None
    labelled: bool = False
    absent: Callable[[Sequence[Any]], str] = lambda truths: ""
    doubt: Callable[[Sequence[Pair]], str] = lambda pairs: ""
    own: bool = False


def wer(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Word error rate: per sample, (substitutions + deletions + insertions, words in the truth).

    Both texts pass through Whisper's normaliser first (Radford et al. 2022, appendix C): the English one for English,
    the basic one otherwise. Without it, "twenty-one" against "21" would count as an error. The basic one splits
    Chinese, Japanese, Thai, Lao and Burmese into letters, as Whisper's own evaluation does, which makes the rate a
    character rate.

    Args:
        outputs, truths: texts. A truth may be empty, its words then weigh nothing and any output is all insertions.

    Raises:
        BadInput: lengths differ, or a sample has no truth.
        MissingExtra: jiwer or whisper-normalizer are not installed.
    """
    with need("run", "word error rate"):
        import jiwer
    normalise = _normaliser(language)
    pairs: list[Pair] = []
    for output, truth in _texts(outputs, truths):
        aligned = jiwer.process_words(normalise(truth), normalise(output))
        errors = aligned.substitutions + aligned.deletions + aligned.insertions
        pairs.append((float(errors), float(aligned.hits + aligned.substitutions + aligned.deletions)))
    return pairs


def cer(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Character error rate: per sample, (substitutions + deletions + insertions, characters in the truth).

    Texts are compared as they are, with any white space as a single space.

    Raises:
        BadInput: lengths differ, or a sample has no truth. MissingExtra: rapidfuzz is not installed.
    """
    with need("run", "character error rate"):
        from rapidfuzz.distance import Levenshtein
    pairs = [(" ".join(output.split()), " ".join(truth.split())) for output, truth in _texts(outputs, truths)]
    return [(float(Levenshtein.distance(output, truth)), float(len(truth))) for output, truth in pairs]


def accuracy(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Accuracy (top-1): per sample, (1 if the output is the truth, else 0; 1).

    Args:
        outputs, truths: labels, compared as they are; of a ranking (a tuple or list, best first) the first.

    Raises:
        BadInput: lengths differ, a sample has no truth, or a ranking is empty.
    """
    return _among_first(1, outputs, truths)


def top5(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Top-5 accuracy: per sample, (1 if the truth is among the first five labels, else 0; 1). See `accuracy`."""
    return _among_first(5, outputs, truths)


def _among_first(count: int, outputs: Sequence[Any], truths: Sequence[Any]) -> list[Pair]:
    side_by_side(outputs, truths)
    rankings, right = ([_ranking(value) for value in values] for values in (outputs, truths))
    if any(truth[0] is None for truth in right):
        raise BadInput("a sample has no truth; accuracy needs a truth for each.")
    return [(float(truth[0] in ranking[:count]), 1.0) for ranking, truth in zip(rankings, right, strict=True)]


def _chance_accuracy(truths: Sequence[Any]) -> float | None:
    """Just more than guessing among the labels that occur reaches; None where fewer than two do."""
    labels = {str(_ranking(truth)[0]) for truth in truths if truth is not None}
    return math.nextafter(1 / len(labels), 1) if len(labels) > 1 else None


def _ranking(value: Any) -> Sequence[Any]:
    if not isinstance(value, (tuple, list)):
        return (value,)
    if not value:
        raise BadInput("a sample has no label at all: its ranking is empty.")
    return value


#: The registry. Everything that `Evaluation.metric` may name.
METRICS = {
    metric.name: metric
    for metric in (
        Metric(name="accuracy", unit="1", better="higher", score=accuracy, chance=_chance_accuracy),
        Metric(name="cer", unit="1", better="lower", score=cer),
        Metric("eer", "1", "lower", verification.trials, verification.eer, verification.eer_by_speaker, labelled=True),
        Metric(
            *("frr@fa", "1", "lower", detection.clips, detection.frr, detection.difference),
            labelled=True,
            absent=detection.absent,
            doubt=detection.doubt,
        ),
        Metric("frame-error", "1", "lower", activity.frames),
        Metric("map", "1", "higher", boxes.scenes, boxes.average_precision, boxes.difference, labelled=True),
        Metric("map@0.5", "1", "higher", boxes.scenes, boxes.average_precision_at_half, labelled=True),
        Metric("miou", "1", "higher", areas.areas, areas.mean_iou, areas.difference, labelled=True),
        Metric("mindcf", "1", "lower", verification.trials, verification.min_dcf, labelled=True),
        Metric("onset-f1", "1", "higher", notes.onset_f1),
        Metric("pck", "1", "higher", points.pck, labelled=True),
        Metric("recall@10", "1", "higher", recommendations.recall, labelled=True),
        Metric("recovery", "1", "higher", recovery.recovery, labelled=True),
        Metric("right-answers", "1", "higher", answers.right, labelled=True),
        Metric(name="top-5", unit="1", better="higher", score=top5),
        Metric(name="wer", unit="1", better="lower", score=wer),
        Metric("wql", "1", "lower", forecasts.weighted_quantile_loss, labelled=True),
    )
}


def add(metric: Metric) -> None:
    """Make `metric` known by its name in this process: for a user's own."""
    METRICS[metric.name] = metric


def find(name: str) -> Metric:
    """The metric `name`.

    Raises:
        UnknownName: there is none (the message lists near ones).
    """
    if name not in METRICS:
        raise UnknownName.of("metric", name, METRICS)
    return METRICS[name]


def score(metric: Metric, outputs: Sequence[Any], truths: Sequence[Any], languages: Sequence[str] = ()) -> list[Pair]:
    """The pairs of all samples, each scored in its own language ("": English; none at all: all in English).

    Raises:
        BadInput: as `Metric.score`, or lengths differ.
    """
    if not any(languages):
        return metric.score(outputs, truths)
    if not len(outputs) == len(truths) == len(languages):
        raise BadInput(f"{len(outputs)} outputs, {len(truths)} truths and {len(languages)} languages do not match.")
    pairs: dict[int, Pair] = {}
    for language in sorted(set(languages)):
        at = [i for i, other in enumerate(languages) if other == language]
        scored = metric.score([outputs[i] for i in at], [truths[i] for i in at], language=language or "en")
        pairs |= dict(zip(at, scored, strict=True))
    return [pairs[i] for i in range(len(pairs))]


def aggregate(metric: Metric, pairs: Sequence[Pair]) -> float:
    """The metric's value over all pairs, in its unit.

    Raises:
        BadInput: the pairs have no weight at all.
    """
    try:
        return metric.aggregate(pairs)
    except ZeroDivisionError as exc:
        raise BadInput(f"{metric.name} is not defined: the samples have no weight.", hint="Check the truths.") from exc


def difference(
    metric: Metric,
    candidate: Sequence[Pair],
    reference: Sequence[Pair],
    names: Sequence[str],
    sources: Sequence[str] = (),
) -> Estimate:
    """Candidate minus reference on the same samples, in the metric's unit, with its 95 % interval.

    Args:
        sources: of each sample, the name of its independent source (empty: each its own). Where each sample is right
            or wrong, the interval is Tango's over one sample of each source, the first. Else whole sources are drawn
            again and again.

    Raises:
        BadInput: lengths differ, or the samples have no weight.
    """
    firsts = sorted({source: i for i, source in reversed(list(enumerate(sources)))}.values()) or range(len(candidate))
    if metric.difference is not None:
        return metric.difference(candidate, reference, names)
    if all(pair in ((0, 1), (1, 1)) for pair in (*candidate, *reference)) and len(candidate) == len(reference):
        found = mcnemar.difference([candidate[i] for i in firsts], [reference[i] for i in firsts])
        value = metric.aggregate(candidate) - metric.aggregate(reference) if candidate else found.value
        return Estimate(value, min(value, found.low), max(value, found.high))
    found = paired_bootstrap(candidate, reference, aggregate=metric.aggregate, sources=sources)
    # Words and frames are trials of their own; what has no such weights counts by its sources.
    weight = sum(weight for _, weight in reference) if metric.aggregate is ratio else 0
    return widen(found, max(len(firsts), weight)) if metric.unit == "1" else found


def format_value(metric: Metric, value: float | None, form: str = "") -> str:
    """A value of the metric for people: fractions in percent. `form`: ``"+"`` to show the sign of a difference."""
    if value is None:
        return "not measured"
    value += 0.0  # no difference is 0, not -0
    text = f"{value:{form}.2%}" if metric.unit == "1" else f"{value:{form}.4g} {metric.unit}".rstrip()
    return text.replace("-", "+" if form else "", 1) if text.startswith("-0.00%") else text


def _texts(outputs: Sequence[Any], truths: Sequence[Any]) -> list[tuple[str, str]]:
    """Outputs and truths side by side. Raises BadInput where one is no text."""
    pairs = side_by_side(outputs, truths)
    for kind, texts in (("output", outputs), ("truth", truths)):
        for at, text in enumerate(texts):
            if not isinstance(text, str):
                raise BadInput(f"the {kind} of sample {at} is {type(text).__name__}, not a text.")
    return pairs


@functools.cache
def _normaliser(language: str) -> Callable[[str], str]:
    """Whisper's text normaliser for a language. Built once: the English one reads a spelling table of 56 kB."""
    # It holds an invalid escape, of which Python warns when it compiles the file.
    with need("run", "word error rate"), warnings.catch_warnings(action="ignore"):
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer
    normaliser: Callable[[str], str]
    if language.lower() in ("en", "english"):
        normaliser = EnglishTextNormalizer()
    else:
        normaliser = BasicTextNormalizer(split_letters=language.lower() in ("zh", "ja", "th", "lo", "my"))
    return normaliser
