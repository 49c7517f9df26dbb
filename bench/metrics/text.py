"""How well a language model predicts a text, and how far it is from another model: perplexity, KL divergence, errors.

What is scored is what `llama-perplexity` scores: the second half of every chunk, so that each token has at least half a
context before it. A chunk is the unit of every interval here, because the tokens inside a chunk are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edgekit.bench.statistics.paired import Estimate, Pair, absolute_bootstrap
from edgekit.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distance", "Scored", "chunks", "distance", "perplexity"]


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
        mean: mean KL divergence, nats a token, with its 95 % interval over chunks. p99: 99th percentile over tokens.
        same_top: fraction of tokens with the same likeliest next token.
    """

    mean: Estimate
    p99: float
    same_top: float


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
    import numpy as np

    divergences, tops = [score.kld for score in scores], [score.same_top for score in scores]
    if not scores or any(value is None for value in (*divergences, *tops)):
        raise BadInput("these scores were made without a reference to compare with.")
    every = np.concatenate([np.asarray(value, np.float64) for value in divergences])
    same = np.concatenate([np.asarray(value, bool) for value in tops])
    mean = absolute_bootstrap([pair for score in scores for pair in _divergences(score)])
    return Distance(mean, float(np.percentile(every, 99)), float(same.mean()))


def chunks(scores: Sequence[Scored]) -> int:
    """How many chunks were scored."""
    return sum(len(score.counts) for score in scores)


def _divergences(score: Scored) -> list[Pair]:
    """Sum of the divergences and number of tokens, a chunk."""
    assert score.kld is not None
    pairs, begin = [], 0
    for count in (int(count) for count in score.counts):
        pairs.append((float(score.kld[begin : begin + count].sum()), float(count)))
        begin += count
    return [pair for pair in pairs if pair[1] > 0]
