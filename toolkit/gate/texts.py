"""Verdicts on language models: by the probabilities that they give to a text, compared with the reference's.

Perplexity alone hides what quantization does: some tokens become likelier, some less, and the mean cancels. The KL
divergence from the reference's distributions does not: its mean (nats a token) has a limit for quantized models, while
the perplexity is the absolute bar. Both are measured on the same chunks of the same text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekit.bench.metrics import text
from edgekit.bench.metrics.text import Scored
from edgekit.bench.statistics.proportion import lower_bound
from edgekit.bundles.manifest import Agreement, Score, Verdict
from edgekit.core import Evaluation, Feeds, Progress, Sample
from edgekit.errors import BadInput
from edgekit.gate.questions import are_questions
from edgekit.gate.verdicts import basis
from edgekit.tasks.text_generation.questions import tokens

__all__ = ["CONTEXT", "absolute", "agreed", "decided", "feeds", "judge", "reference_misses", "scores"]

#: Tokens of a chunk, as in `llama-perplexity`.
CONTEXT = 512
#: Most chunks, and most bytes of the reference's distributions: a chunk of a vocabulary of 150,000 has 77 MB.
_CHUNKS, _BYTES = 16, 2 << 30


def scores(
    predictor: Any, samples: Sequence[Sample], work: Path | None, tell: Progress, what: str, *, reference: bool
) -> list[Scored]:
    """A model's scores on every text.

    Args:
        predictor: whose ``network`` has ``score``. samples: files of text.
        work: folder of the reference's distributions; None: there is no reference.
        reference: whether this is the reference, whose distributions are saved in `work`; else they are compared.

    Raises:
        BadInput: a text is too short, or no text.
    """
    scored: list[Scored] = []
    network = predictor.network
    most = min(_CHUNKS, max(1, _BYTES // (CONTEXT // 2 * 2 * network.vocabulary)))
    for sample in samples:
        left = most - text.chunks(scored)
        if left < 1:
            break
        base = None if work is None else work / f"distributions-{_name(sample)}"
        try:
            scored.append(
                network.score(
                    Path(sample.input).read_text(encoding="utf-8"),
                    context=CONTEXT,
                    chunks=left,
                    base=None if reference else base,
                    save_base=base if reference else None,
                    progress=lambda _, done, total: tell(what, done, total),
                )
            )
        except (BadInput, UnicodeDecodeError) as exc:
            reason = exc.message if isinstance(exc, BadInput) else "it is not UTF-8."
            raise BadInput(f"the text {sample.name}: {reason}", hint=getattr(exc, "hint", "")) from exc
    return scored


def feeds(predictor: Any, samples: Sequence[Sample]) -> list[Feeds]:
    """Every text's tokens, whole: ``{"tokens": int32 [n]}``; of questions, a single row with their right answers."""
    import numpy as np

    if are_questions(samples):
        return [{"tokens": np.asarray(tokens(predictor, samples), np.int32)}]
    return [{"tokens": np.asarray(predictor.tokens(Path(sample.input)), np.int32)} for sample in samples]


def _name(sample: Sample) -> str:
    return hashlib.sha256(str(sample.input).encode()).hexdigest()[:16]


def judge(evaluation: Evaluation, candidate: Sequence[Scored], reference: Sequence[Scored], data: str) -> Verdict:
    """The verdict on a candidate, from its and the reference's scores on the same texts.

    Returns:
        ``value`` and ``reference`` are perplexities; ``drop``, ``low``, ``high`` the mean KL divergence (nats a token)
        and its 95 % interval; ``others`` holds the errors of the perplexities (one standard deviation), the 99th
        percentile of the divergence, and the fraction of positions where both have the same likeliest token.
    """
    (value, error), (base, base_error) = text.perplexity(candidate), text.perplexity(reference)
    far = text.distance(candidate)
    measured = Verdict(
        verdict="undecided",
        reason="",
        metric=evaluation.metric,
        samples=text.chunks(candidate),
        value=value,
        reference=base,
        drop=far.mean.value,
        low=far.mean.low,
        high=far.mean.high,
        data=data,
        others={
            "perplexity error": Score(value=error, reference=base_error),
            "KL divergence, 99th percentile": Score(value=far.p99),
            "same likeliest token": Score(value=far.same_top),
        },
    )
    return decided(evaluation, measured)


def reference_misses(evaluation: Evaluation, reference: Sequence[Scored]) -> str:
    """Why no recipe can pass: the `reference` itself misses the bar of perplexity ("" if it does not)."""
    value, error = text.perplexity(reference)
    return "" if value <= evaluation.worst else f"perplexity {value:.4g} +- {error:.2g}, {_no_model(evaluation)}"


def _no_model(evaluation: Evaluation) -> str:
    return f"a perplexity above {evaluation.worst:g} is no model of this text"


def absolute(evaluation: Evaluation, scored: Sequence[Scored], data: str) -> Verdict:
    """The verdict without a reference: by the absolute bar alone."""
    value, error = text.perplexity(scored)
    held, chunks = value <= evaluation.worst, text.chunks(scored)
    verdict: Literal["above the bar", "below the bar", "undecided"] = "above the bar" if held else "below the bar"
    if held and chunks < evaluation.minimum:
        verdict = "undecided"
    reason = (
        f"perplexity {value:.4g} +- {error:.2g}, bar {evaluation.worst:g}; distance from the reference not measured"
    )
    others = {"perplexity error": Score(value=error)}
    return Verdict(
        verdict=verdict,
        reason=reason,
        metric=evaluation.metric,
        samples=chunks,
        value=value,
        data=data,
        others=others,
        basis=("bar",),
    )


def agreed(evaluation: Evaluation, candidate: Sequence[Scored]) -> Agreement:
    """How many tokens have the same likeliest successor as for the reference, and the KL divergence, which decides.

    Tokens of a chunk are not independent, so the lower bound of the share is for its chunks: a share of same tokens
    counts as that share of as many trials as there are chunks.
    """
    far, chunks = text.distance(candidate), text.chunks(candidate)
    tokens = sum(int(scored.counts.sum()) for scored in candidate)
    same = round(far.same_top * tokens)
    low = lower_bound(round(far.same_top * chunks), chunks)
    divergence = f"KL divergence {far.mean.value:z.4f} nats per token (95 % interval {far.mean.low:z.4f} to "
    divergence += f"{far.mean.high:z.4f}), at most {evaluation.drop:g} allowed"
    reason = f"the same likeliest token at {same} of {tokens} positions; {divergence}"
    verdict: Literal["pass", "fail", "undecided"] = "pass" if far.mean.value <= evaluation.drop else "fail"
    if verdict == "pass" and chunks < evaluation.minimum:
        verdict, reason = "undecided", f"{reason}; {chunks} chunks of {CONTEXT} tokens are too few"
    return Agreement(
        verdict=verdict,
        reason=reason,
        what="the same likeliest token",
        same=same,
        of=tokens,
        low=low,
        figures={"KL divergence, nats per token": far.mean.value},
    )


def decided(evaluation: Evaluation, measured: Verdict) -> Verdict:
    """`measured` with the verdict and the reason that follow from its values."""
    verdict, reason = _decide(evaluation, measured)
    missed = not (measured.value or 0.0) <= evaluation.worst
    return msgspec.structs.replace(measured, verdict=verdict, reason=reason, basis=basis(missed=missed))


def _decide(evaluation: Evaluation, measured: Verdict) -> tuple[Literal["pass", "fail", "undecided"], str]:
    value, base, drop, low, high = (
        float(x or 0.0) for x in (measured.value, measured.reference, measured.drop, measured.low, measured.high)
    )
    error = measured.others["perplexity error"]
    same = measured.others["same likeliest token"].value
    values = (
        f"perplexity {value:.4g} +- {error.value:.2g} (reference {base:.4g}), KL divergence {drop:z.4f} "
        f"(95 % interval {low:z.4f} to {high:z.4f}), same likeliest token {same:.1%}"
    )
    allowed = f"the {evaluation.drop:g} allowed"
    if not value <= evaluation.worst:
        return "fail", f"{values}: {_no_model(evaluation)}"
    if drop > evaluation.drop:
        return "fail", f"{values}: a divergence of more than {allowed}"
    if measured.samples < evaluation.minimum:
        return (
            "undecided",
            f"{values}, but {measured.samples} chunks of {CONTEXT} tokens are too few: {evaluation.minimum} at least",
        )
    if not high <= evaluation.drop:
        return "undecided", f"{values}: the interval reaches beyond {allowed}; more text would tell"
    return "pass", f"{values}: within {allowed}"
