"""From scores to events, look by look: smoothed, above a limit, and not right after another.

The arithmetic is in whole numbers and is the C detector's (exporters/c/frontends/), so that host and chip decide alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, fact_of
from edgekit.errors import BadInput
from edgekit.models.keyword.shapes import KeywordRules, MfccSettings, MicroSettings, WakewordRules

#: Scores are 0..255 in steps of 1 / 256.
STEPS = 256


@dataclass(frozen=True)
class Mean:
    """What a judge needs to know.

    Attributes:
        labels: of the words that can be heard. smoothed: looks whose scores are added. limit: the largest sum that is
            no event. refractory: looks after an event in which none can follow.
        early: whether looks before the first count as silence (else the first window of looks must be whole).
        first, hop, rate: samples until the first look, from a look to the next, and of a second.
    """

    labels: tuple[str, ...]
    smoothed: int
    limit: int
    refractory: int
    early: bool
    first: int
    hop: int
    rate: int


def judge(facts: Facts) -> Mean:
    """The rules in a bundle's facts; an operating point in them has the last word about the limit.

    Raises:
        BadInput: an operating point that cannot be.
    """
    labels = tuple(fact_of(facts, "labels", list[str]))
    if "words" in fact_of(facts, "rules", dict):
        settings, rules = fact_of(facts, "frontend", MfccSettings), fact_of(facts, "rules", KeywordRules)
        first, limit = settings.window + (rules.frames - 1) * settings.step, rules.threshold * rules.smoothed
        mean = Mean(
            labels[: rules.words], rules.smoothed, limit, rules.refractory, True, first,
            rules.hop * settings.step, settings.rate,
        )  # fmt: skip
    else:
        micro, wake = fact_of(facts, "frontend", MicroSettings), fact_of(facts, "rules", WakewordRules)
        first = micro.window + (wake.stride - 1) * micro.step
        mean = Mean(
            labels, wake.smoothed, wake.limit, wake.refractory, False, first,
            wake.stride * micro.step, micro.rate,
        )  # fmt: skip
    return apply_operating_point(mean, facts)


def apply_operating_point(mean: Mean, facts: Facts) -> Mean:
    """`mean` with the limit of the operating point, if any. Raises BadInput for a limit that is not possible."""
    limit = fact_of(facts, "operating_point", dict, {}).get("limit", mean.limit)
    if not isinstance(limit, int) or not 0 <= limit <= STEPS * mean.smoothed:
        raise BadInput(f"the bundle's operating point has the limit {limit!r}.", hint="Export it again.")
    return replace(mean, limit=limit)


class Event(TypedDict):
    """A word that was heard, when (seconds since the start), and how surely (0..1)."""

    word: str
    time: float
    score: float


class Judge:
    """From scores, look by look, to events."""

    def __init__(self, mean: Mean) -> None:
        self.mean = mean
        self.reset()

    def reset(self) -> None:
        """Forget all looks."""
        self._held = np.zeros((self.mean.smoothed, len(self.mean.labels)), np.int64)
        self._looks, self._quiet = 0, 0

    def push(self, scores: NDArray[np.uint8]) -> Event | None:
        """Scores [words] of the next look -> the event that they make, if any."""
        mean, look = self.mean, self._looks
        self._held[look % mean.smoothed] = scores
        self._looks += 1
        if not mean.early and self._looks < mean.smoothed:
            return None
        total = self._held.sum(axis=0)
        best = int(total.argmax())
        if self._quiet > 0:
            self._quiet -= 1
            return None
        if total[best] <= mean.limit:
            return None
        self._quiet = mean.refractory
        time = (mean.first + look * mean.hop) / mean.rate
        score = int(total[best]) / mean.smoothed / STEPS
        return {"word": mean.labels[best], "time": round(time, 3), "score": round(score, 3)}


def sums(scores: NDArray[np.uint8], mean: Mean) -> NDArray[np.int64]:
    """Scores of a whole sound, [looks, words] -> sums over the last `smoothed` looks, [looks or fewer, words]."""
    padding = mean.smoothed - 1 if mean.early else 0
    padded = np.concatenate([np.zeros((padding + 1, scores.shape[1]), np.int64), scores.astype(np.int64)])
    totals = np.cumsum(padded, axis=0)
    return totals[mean.smoothed :] - totals[: -mean.smoothed] if len(totals) > mean.smoothed else totals[:0]


def hits(totals: NDArray[np.int64], limit: int, refractory: int) -> list[int]:
    """Places in `totals` (of `sums`) at which `Judge` would hear a word with another limit."""
    out: list[int] = []
    for place in np.flatnonzero(totals.max(axis=1, initial=0) > limit).tolist():
        if not out or place > out[-1] + refractory:
            out.append(place)
    return out
