"""How well a language model predicts a text, and how far it is from another model: perplexity, KL divergence, errors.

What is scored is what `llama-perplexity` scores: the second half of every chunk, so that each token has at least half a
context before it. A document is the unit of every interval here: neither its tokens nor its chunks are independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from edgekit.bench.statistics.paired import Estimate, mean_by_source, share_by_source
from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput


class Scored(Protocol):
    """What a runner measured on a text.

    Attributes:
        nll, squares: float64 [chunks]: sums over the chunk's scored tokens of the negative log-likelihood (nats), and
            of its square. counts: int [chunks]: how many tokens were scored.
        kld: float [tokens]: KL divergence of every scored token's distribution from the reference's (nats), same_top:
            bool [tokens]: whether the same token is likeliest for both; None where there was no reference.
    """

    nll: NDArray[Any]
    squares: NDArray[Any]
    counts: NDArray[Any]
    kld: NDArray[Any] | None
    same_top: NDArray[Any] | None


class Distance(NamedTuple):
    """How far one model's distributions are from the reference's.

    Attributes:
        mean: mean KL divergence, nats a token. p99: 99th percentile over tokens.
        same_top: fraction of tokens with the same likeliest next token. Both with their 95 % intervals over documents.
    """

    mean: Estimate
    p99: float
    same_top: Estimate


def perplexity(scores: Sequence[Scored]) -> tuple[float, float]:
    """Perplexity, and its error (one standard deviation), both as `llama-perplexity` prints them.

    The error takes tokens for independent, as that program does: it is the error of the mean negative log-likelihood,
    times the perplexity.

    Raises:
        BadInput: nothing was scored.
    """
    total, squares, count = (
        sum(float(getattr(s, name).sum()) for s in scores) for name in ("nll", "squares", "counts")
    )
    if count < 2:
        raise BadInput("the text is too short to be scored.", hint="Give more text: some thousand words.")
    mean = total / count
    deviation = math.sqrt(max(0.0, squares / count - mean * mean) / (count - 1))
    try:
        value = math.exp(mean)
    except OverflowError:
        value = math.inf
    return value, value * deviation


def distance(scores: Sequence[Scored]) -> Distance:
    """See `Distance`. Raises BadInput where no reference was beside, or nothing was scored."""
    divergences, tops = [score.kld for score in scores], [score.same_top for score in scores]
    if not scores or any(value is None for value in (*divergences, *tops)):
        raise BadInput("these scores were made without a reference to compare with.")
    every = np.concatenate([np.asarray(value, np.float64) for value in divergences])
    mean = mean_by_source([(float(kld.sum()), float(kld.size)) for kld in map(np.asarray, divergences)])
    same = share_by_source([(int(top.sum()), top.size) for top in map(np.asarray, tops)])
    return Distance(mean, float(np.percentile(every, 99)), same)


def chunks(scores: Sequence[Scored]) -> int:
    """How many chunks were scored."""
    return sum(len(score.counts) for score in scores)
