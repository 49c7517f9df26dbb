"""From raw turns to the numbers that the issue's bars are about."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from _turns import Section

from edgekit.bench.metrics.table import wer
from edgekit.bench.statistics.paired import Estimate, paired_bootstrap, ratio
from edgekit.bench.statistics.repeated import median, percentile
from edgekit.reports.comparing.rows import LEAST

OURS = "edgekit"
#: The bar is against the better of these two.
RIVALS = ("faster-whisper-int8", "faster-whisper-float32")
#: Section → the most that our time may be of the better rival's.
RATIO_BARS = {"clips": 0.33, "long": 0.45}
#: Whose peak memory is the bar: the leanest of the peers.
LEAN = "pywhispercpp-q8_0"
#: The most that int8 may lose against fp32, as a fraction of words.
WER_BAR = 0.005

#: Of one contestant: seconds per sound, per round.
Times = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Bar:
    """One demand of the issue, and what was seen. `value` is None where it was not measured.

    `low` and `high` are its 95 % interval, infinite for a single time; None: a peak of memory, which has none.
    """

    what: str
    most: float
    value: float | None
    low: float | None = None
    high: float | None = None
    against: str = ""
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        # Two runs of one process have peaks some thousandths apart.
        low = self.value * (1 - LEAST) if self.low is None else self.low
        high = self.value * (1 + LEAST) if self.high is None else self.high
        return "met" if high <= self.most else "missed" if low > self.most else "undecided"

    def raw(self) -> dict[str, Any]:
        ends = {"low": None, "high": None} if self.high == math.inf else {}
        return asdict(self) | ends | {"verdict": self.verdict}


class Accuracy(NamedTuple):
    """Int8 against fp32: word error rates of both, and their difference with its interval, on `samples` sounds."""

    name: str
    samples: int
    int8: float
    fp32: float
    drop: Estimate


def total(times: Times) -> float:
    """Seconds for all sounds; the median over rounds stands for a sound, so that one disturbed turn does not count."""
    return sum(median(rounds) for rounds in times)


def ratio_of_totals(ours: Times, theirs: Times, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """total(ours) / total(theirs), with a 95 % interval over the sounds and the rounds.

    The bootstrap is hierarchical and paired: sounds are drawn with replacement, the same for both, then rounds within
    each drawn sound (Davison and Hinkley 1997, section 3.8). With one sound only, the rounds remain; one value alone
    has no interval, and gets the widest.
    """
    if sum(map(len, ours)) < 2:
        return Estimate(total(ours) / total(theirs), 0.0, math.inf)
    rng = random.Random(seed)
    sounds = range(len(ours))
    drawn = []
    for _ in range(resamples):
        chosen = rng.choices(sounds, k=len(sounds))
        above = below = 0.0
        for at in chosen:
            # A round is one stretch of time for both sides, so it is drawn for both together.
            rounds = rng.choices(range(len(ours[at])), k=len(ours[at]))
            above += median([ours[at][i] for i in rounds])
            below += median([theirs[at][i] for i in rounds])
        drawn.append(above / below)
    return Estimate(total(ours) / total(theirs), percentile(drawn, 2.5), percentile(drawn, 97.5))


def sound_ratios(ours: Times, theirs: Times) -> list[float]:
    """Our time over theirs, per sound (medians over rounds)."""
    return [median(a) / median(b) for a, b in zip(ours, theirs, strict=True)]


def measured(section: Section) -> list[str]:
    """Who finished the section."""
    return [name for name in section.wall if name not in section.failed]


def better_rival(section: Section) -> str | None:
    there = [name for name in RIVALS if name in measured(section)]
    return min(there, key=lambda name: total(section.wall[name])) if there else None


def accuracies(
    int8: Mapping[str, Sequence[str]], fp32: Mapping[str, Sequence[str]], truths: Mapping[str, Sequence[str] | None]
) -> list[Accuracy]:
    """Per set, then over all. Where a set has no transcripts, the fp32 text stands for the truth."""
    found, all_pairs = [], ([], [])  # type: ignore[var-annotated]
    for name in int8:
        given = truths[name]
        against = fp32[name] if given is None else given
        pairs = wer(int8[name], against), wer(fp32[name], against)
        what = f"{name} (against fp32 text)" if given is None else f"{name} (against transcripts)"
        found.append(_accuracy(what, *pairs))
        all_pairs[0].extend(pairs[0])
        all_pairs[1].extend(pairs[1])
    return [*found, _accuracy("all", *all_pairs)] if len(found) > 1 else found


def _accuracy(name: str, int8: list[tuple[float, float]], fp32: list[tuple[float, float]]) -> Accuracy:
    return Accuracy(name, len(int8), ratio(int8), ratio(fp32), paired_bootstrap(int8, fp32))


def bars(sections: Sequence[Section], accuracy: Sequence[Accuracy], seed: int) -> list[Bar]:
    """Every demand. A section that was not run has none; where a peer is absent, they are not measured."""
    found = []
    for section in sections:
        rival = better_rival(section)
        what = f"time, {section.name}"
        if rival is None:
            found.append(Bar(what, RATIO_BARS[section.name], None))
        else:
            there = ratio_of_totals(section.wall[OURS], section.wall[rival], seed=seed)
            found.append(Bar(what, RATIO_BARS[section.name], *there, rival, "of the rival's time"))
    if accuracy:
        drop = accuracy[-1].drop
        found.append(Bar("WER, int8 minus fp32", WER_BAR, *drop, against="our fp32", unit="of words"))
    for section in sections:
        what, rival = f"peak memory, {section.name}", LEAN
        ours, theirs = (section.memory.get(name, {}).get("peak") for name in (OURS, rival))
        value = ours / theirs if ours and theirs else None
        found.append(Bar(what, 1.0, value, against=rival, unit="of the rival's peak"))
    return found
