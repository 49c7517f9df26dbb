"""Answers that are sequences, compared position by position: finer than whether whole answers are the same.

The reference's own answer is forced through the candidate, and the next token (or a sound's next frame) is compared at
every position: the likeliest, and the KL divergence. So one early difference does not make all that follows unlike.
Of the reference's distribution the likeliest tokens are kept one by one and the others as one: the divergence of such
a coarser distribution is a lower bound (the data-processing inequality; Cover and Thomas 2006, section 2.8).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.bench.statistics.paired import Estimate, mean_by_source, share_by_source
from edgekit.common.lazy import NDArray, np
from edgekit.core import Predictor, Sample

#: The file of a bundle that holds what the reference expected next.
FILE = "golden/positions.json"
#: Tokens of each position that are kept, and decimals of their log-probabilities.
_KEPT, _DECIMALS = 5, 3
#: No probability is taken for smaller: what is left beside the kept tokens may round to nothing.
_LEAST = 1e-6


class Positions(NamedTuple):
    """What was compared of a sample: positions with the same likeliest token, positions, and the sum of divergences."""

    same: int
    of: int
    divergence: float


#: Of a sample, for each position: the likeliest tokens, and their log-probabilities (nats).
Kept = Sequence[tuple[Sequence[int], Sequence[float]]]


def expectations(predictor: Predictor, sample: Sample, answer: Any) -> Kept | None:
    """What the reference expects at every position of its own `answer`; None where that is no sequence."""
    logprobs = predictor.next_tokens(sample.input, answer)
    if logprobs is None:
        return None
    likeliest = np.sort(np.argpartition(-logprobs, min(_KEPT, logprobs.shape[-1]) - 1, axis=-1)[:, :_KEPT])
    order = np.argsort(-np.take_along_axis(logprobs, likeliest, axis=-1), axis=-1, kind="stable")
    order = np.take_along_axis(likeliest, order, axis=-1)
    rows = np.take_along_axis(logprobs, order, axis=-1).round(_DECIMALS)
    return [(ids.tolist(), row.tolist()) for ids, row in zip(order, rows, strict=True)]


def distance(predictor: Predictor, sample: Sample, answer: Any, expected: Kept) -> Positions:
    """How a candidate goes on from the reference's `answer`, beside what was kept of the reference."""
    logprobs = predictor.next_tokens(sample.input, answer)
    if logprobs is None or len(logprobs) != len(expected):
        return Positions(0, len(expected), -len(expected) * math.log(_LEAST))
    best = logprobs.argmax(axis=-1)
    same = sum(int(best[at]) == ids[0] for at, (ids, _) in enumerate(expected))
    total = sum(_divergence(logprobs[at], ids, row) for at, (ids, row) in enumerate(expected))
    return Positions(same, len(expected), total)


def _divergence(logprobs: NDArray[Any], ids: Sequence[int], expected: Sequence[float]) -> float:
    """KL divergence of the kept tokens and the rest, in nats."""
    mine = [math.exp(float(logprobs[token])) for token in ids]
    wanted = [math.exp(value) for value in expected]
    pairs = [*zip(wanted, mine, strict=True), (1.0 - sum(wanted), 1.0 - sum(mine))]
    return sum(p * math.log(max(p, _LEAST) / max(q, _LEAST)) for p, q in pairs if p > 0)


def by_source(found: Sequence[Positions], samples: Sequence[Sample]) -> tuple[Estimate, Estimate]:
    """The share of positions with the same likeliest token, and the mean divergence, with intervals by source."""
    totals: dict[str, list[float]] = {}
    for sample, positions in zip(samples, found, strict=True):
        row = totals.setdefault(sample.source, [0, 0, 0.0])
        row[:] = [old + new for old, new in zip(row, positions, strict=True)]
    shares = share_by_source([(int(same), int(of)) for same, of, _ in totals.values()])
    return shares, mean_by_source([(divergence, of) for _, of, divergence in totals.values()])


def write(kept: Sequence[Kept], stage: Path) -> str:
    """Write what was kept of the reference into the bundle folder `stage`; returns the file's name."""
    (stage / FILE).write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
    return FILE
