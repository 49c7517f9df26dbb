"""Verdicts on language models: by the probabilities that they give to a text, compared with the reference's.

Perplexity alone hides what quantization does: some tokens become likelier, some less, and the mean cancels. The KL
divergence from the reference's distributions does not: its mean (nats a token) has a limit for quantized models, while
the perplexity is the absolute bar. Both are measured on the same chunks of the same texts. Tokens and chunks of one
document hang together, so intervals count documents.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekit.bench.metrics import text
from edgekit.bench.metrics.text import Scored
from edgekit.bundles.manifest import Agreement, Score, Verdict
from edgekit.common.figures import too_few
from edgekit.common.lazy import np
from edgekit.core import Evaluation, Feeds, Progress, Sample
from edgekit.errors import BadInput
from edgekit.gate.agreement import FEWEST
from edgekit.gate.questions import are_questions
from edgekit.gate.verdicts import basis
from edgekit.tasks.text_generation.questions import tokens

#: Tokens of a chunk, as in `llama-perplexity`.
CONTEXT = 512
#: Most chunks, and most bytes of the reference's distributions: a chunk of a vocabulary of 150,000 has 77 MB.
_CHUNKS, _BYTES = 16, 2 << 30
#: A document begins with a title of WikiText's form, or behind a form feed.
_BEGINS = re.compile(r"^(?= = [^=\n]+ = *\n)|\f", re.MULTILINE)
#: Letters of a document; shorter ones go together, since two chunks are the least that is scored.
_LETTERS = 8_000


def scores(
    predictor: Any, samples: Sequence[Sample], work: Path | None, tell: Progress, what: str, *, reference: bool
) -> list[Scored]:
    """A model's scores on every document of the texts, the same number of chunks of each.

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
    every = [(sample, document) for sample in samples for document in _documents_of(sample)]
    chosen = every if len(every) <= most else [every[i * len(every) // most] for i in range(most)]
    for number, (sample, document) in enumerate(chosen):
        base = None if work is None else work / f"distributions-{_name(sample)}-{number}"
        tell(what, number, len(chosen))
        try:
            scored.append(
                network.score(
                    document,
                    context=CONTEXT,
                    chunks=max(1, (most - text.chunks(scored)) // (len(chosen) - number)),
                    base=None if reference else base,
                    save_base=base if reference else None,
                    progress=lambda _, done, total, at=number: tell(what, at, len(chosen)),
                )
            )
        except BadInput as exc:
            raise BadInput(f"the text {sample.name}: {exc.message}", hint=exc.hint) from exc
    return scored


def documents(text: str) -> list[str]:
    """The documents of a text: what begins with a title of WikiText, or behind a form feed; short ones go together."""
    found = [""]
    for document in _BEGINS.split(text):
        if len(found[-1]) < _LETTERS:
            found[-1] += document
        else:
            found.append(document)
    return [*found[:-2], found[-2] + found[-1]] if len(found) > 1 and len(found[-1]) < _LETTERS else found


def _documents_of(sample: Sample) -> list[str]:
    """The documents of a sample's file. Raises BadInput where it is no text."""
    try:
        return documents(Path(sample.input).read_text(encoding="utf-8"))
    except UnicodeDecodeError as exc:
        raise BadInput(f"the text {sample.name}: it is not UTF-8.") from exc


def feeds(predictor: Any, samples: Sequence[Sample]) -> list[Feeds]:
    """Every text's tokens, whole: ``{"tokens": int32 [n]}``; of questions, a single row with their right answers."""
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
        low=_finite(far.mean.low),
        high=_finite(far.mean.high),
        data=data,
        others={
            "perplexity error": Score(value=error, reference=base_error),
            "KL divergence, 99th percentile": Score(value=far.p99),
            "same likeliest token": Score(value=far.same_top.value),
            "documents": Score(value=float(len(candidate))),
        },
    )
    return decide_verdict(evaluation, measured)


def reference_misses(evaluation: Evaluation, reference: Sequence[Scored]) -> str:
    """Why no recipe can pass: the `reference` itself misses the bar of perplexity ("" if it does not)."""
    value, error = text.perplexity(reference)
    return "" if value <= _worst(evaluation) else f"perplexity {value:.4g} +- {error:.2g}, {_no_model(evaluation)}"


def _no_model(evaluation: Evaluation) -> str:
    return f"a perplexity above {_worst(evaluation):g} is no model of this text"


def _worst(evaluation: Evaluation) -> float:
    return math.inf if evaluation.worst is None else evaluation.worst


def _finite(value: float) -> float | None:
    """An end of an interval for the manifest; None where a single document gives none."""
    return value if math.isfinite(value) else None


def absolute(evaluation: Evaluation, scored: Sequence[Scored], data: str) -> Verdict:
    """The verdict without a reference: by the absolute bar alone."""
    value, error = text.perplexity(scored)
    held, chunks = value <= _worst(evaluation), text.chunks(scored)
    verdict: Literal["above the bar", "below the bar", "undecided"] = "above the bar" if held else "below the bar"
    if held and (chunks < evaluation.minimum or len(scored) < FEWEST):
        verdict = "undecided"
    reason = (
        f"perplexity {value:.4g} +- {error:.2g}, bar {_worst(evaluation):g}; distance from the reference not measured"
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


def judge_agreement(evaluation: Evaluation, candidate: Sequence[Scored]) -> Agreement:
    """How many tokens have the same likeliest successor as for the reference, and the KL divergence, which decides."""
    far, chunks = text.distance(candidate), text.chunks(candidate)
    tokens = sum(int(scored.counts.sum()) for scored in candidate)
    same, mean = round(far.same_top.value * tokens), far.mean
    reason = f"the same likeliest token at {same} of {tokens} positions (at least {far.same_top.low:.1%}); "
    reason += f"KL divergence {mean.value:z.4f} nats per token ({_interval(mean.low, mean.high, len(candidate))}), "
    reason += f"at most {evaluation.drop:g} allowed"
    verdict: Literal["pass", "fail", "undecided"] = "pass"
    if not mean.value <= evaluation.drop:
        verdict = "fail"
    elif why := _too_few(evaluation, chunks, len(candidate), mean.high):
        verdict, reason = "undecided", f"{reason}; {why}"
    return Agreement(
        verdict=verdict,
        reason=reason,
        what="the same likeliest token",
        same=same,
        of=tokens,
        low=far.same_top.low,
        figures={"KL divergence, nats per token": mean.value},
        sources=len(candidate),
    )


def _interval(low: float, high: float, documents: int) -> str:
    """An interval of a divergence as text."""
    if documents < 2:
        return "no interval from a single document"
    return f"95 % interval over {documents} documents {max(0.0, low):z.4f} to {high:z.4f}"


def _too_few(evaluation: Evaluation, chunks: int, documents: int, high: float) -> str:
    """Why so much text decides nothing ("" if it does)."""
    if chunks < evaluation.minimum:
        return f"{too_few(chunks, 'chunk')}: {evaluation.minimum} of {CONTEXT} tokens at least"
    if documents < FEWEST:
        return f"{too_few(documents, 'independent text')}: {FEWEST} at least, a file or a title each"
    if not high <= evaluation.drop:
        return f"the interval reaches beyond the {evaluation.drop:g} allowed; more texts would tell"
    return ""


def decide_verdict(evaluation: Evaluation, measured: Verdict) -> Verdict:
    """`measured` with the verdict and the reason that follow from its values."""
    verdict, reason = _decide(evaluation, measured)
    missed = not (measured.value or 0.0) <= _worst(evaluation)
    return msgspec.structs.replace(measured, verdict=verdict, reason=reason, basis=basis(missed=missed))


def _decide(evaluation: Evaluation, measured: Verdict) -> tuple[Literal["pass", "fail", "undecided"], str]:
    value, base, drop = (float(x or 0.0) for x in (measured.value, measured.reference, measured.drop))
    low, high = (math.inf * sign if x is None else x for x, sign in ((measured.low, -1), (measured.high, 1)))
    error, documents = measured.others["perplexity error"], int(measured.others["documents"].value)
    same = measured.others["same likeliest token"].value
    values = (
        f"perplexity {value:.4g} +- {error.value:.2g} (reference {base:.4g}), KL divergence {drop:z.4f} "
        f"({_interval(low, high, documents)}), same likeliest token {same:.1%}"
    )
    allowed = f"the {evaluation.drop:g} allowed"
    if not value <= _worst(evaluation):
        return "fail", f"{values}: {_no_model(evaluation)}"
    if not drop <= evaluation.drop:
        return "fail", f"{values}: a divergence of more than {allowed}"
    if why := _too_few(evaluation, measured.samples, documents, high):
        return "undecided", f"{values}, but {why}"
    return "pass", f"{values}: within {allowed}"
