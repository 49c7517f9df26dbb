"""Verdicts on language models by their answers to questions, beside the reference's answers to the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from edgekit.bench import metrics
from edgekit.bundles.manifest import Score, Verdict
from edgekit.core import Evaluation, Progress, Sample
from edgekit.errors import BadInput
from edgekit.gate import verdicts
from edgekit.tasks.text_generation.questions import Question, answer

METRIC = "right-answers"
#: The largest loss that passes, and the fewest questions that prove anything.
DROP, _MINIMUM = 0.02, 20


def are_questions(samples: Sequence[Sample]) -> bool:
    """Whether samples are questions; else they are texts."""
    return bool(samples) and isinstance(samples[0].input, Question)


def answers(predictor: Any, samples: Sequence[Sample], tell: Progress, what: str) -> list[Any]:
    """The predictor's answers. Raises BadInput that names the question that cannot be asked."""
    given = []
    for i, sample in enumerate(samples):
        tell(what, i, len(samples))
        try:
            given.append(answer(predictor, sample.input))
        except BadInput as exc:
            raise BadInput(f"{sample.name}: {exc.message}", hint=exc.hint) from exc
    return given


def judge(outputs: Sequence[Any], reference: Sequence[Any], samples: Sequence[Sample], data: str) -> Verdict:
    """The verdict on a candidate's answers, paired with the reference's (`edgekit.gate.verdicts.judge`).

    `others` tells how many answers are the same, right or wrong.
    """
    measured = verdicts.judge(_evaluation(samples), outputs, reference, samples, data)
    mine, base = ([value for value, _ in _score_outputs(each, samples)] for each in (outputs, reference))
    lost, won = (sum(a < b for a, b in zip(*pair, strict=True)) for pair in ((mine, base), (base, mine)))
    same = sum(a == b for a, b in zip(outputs, reference, strict=True))
    shares = f"of {len(samples)} answers {same} are the reference's, {lost} are worse and {won} better"
    others = {"same answer": Score(value=same / len(samples), reference=1.0)}
    return msgspec.structs.replace(measured, reason=f"{measured.reason}; {shares}", others=others)


def absolute(outputs: Sequence[Any], samples: Sequence[Sample], data: str) -> Verdict:
    """The verdict without a reference: by the absolute bar alone."""
    return verdicts.absolute(_evaluation(samples), outputs, samples, data)


def reference_misses(reference: Sequence[Any], samples: Sequence[Sample]) -> str:
    """Why no recipe can pass: the `reference` itself misses the bar ("" if it does not)."""
    return verdicts.reference_misses(_evaluation(samples), reference, samples)


def _score_outputs(outputs: Sequence[Any], samples: Sequence[Sample]) -> list[tuple[float, float]]:
    return metrics.score(metrics.find(METRIC), outputs, [sample.truth for sample in samples])


def _evaluation(samples: Sequence[Sample]) -> Evaluation:
    """The bar is what guessing among the choices would reach; without choices, a single right answer."""
    guessed = sum(1 / len(sample.input.choices) for sample in samples if sample.input.choices)
    return Evaluation(METRIC, worst=max(guessed, 1.0) / len(samples), drop=DROP, minimum=_MINIMUM)
