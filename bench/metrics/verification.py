"""Speaker verification metrics: equal error rate and the detection cost of NIST, with an interval over speakers.

A pair is a trial's (score, 1 for the same speaker, 0 for two speakers). Trials share clips and speakers, so
they are not independent and resampling them would make an interval far too narrow: speakers are drawn instead, with all
their trials (the subset bootstrap of Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the
subsets bootstrap", Computer Vision and Image Understanding 93, 2004; Poh and Bengio, "Performance generalization in
biometric authentication using joint user-specific and sample bootstraps", IEEE PAMI 29, 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Estimate, Pair, widen
from edgekit.bench.statistics.proportion import CONFIDENCE
from edgekit.common.lazy import Doubles, np
from edgekit.errors import BadInput, need

#: NIST's convention since 2010: a trial in a hundred is of the same speaker; a miss and a false alarm cost the same.
P_TARGET = 0.01
_RESAMPLES, _CONFIDENCE = 2000, CONFIDENCE


def trials(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per trial, (score, 1 if one person speaks in both clips, else 0).

    Args:
        outputs: scores, larger for voices that are more alike. truths: booleans.

    Raises:
        BadInput: lengths differ, a score is no number, or a truth is missing.
    """
    pairs: list[Pair] = []
    for at, (score, truth) in enumerate(side_by_side(outputs, truths)):
        if truth is None:
            raise BadInput(f"trial {at} has no truth; verification needs a truth for each.")
        if not isinstance(score, (int, float)) or score != score:
            raise BadInput(f"the score of trial {at} is {score!r}, not a number.")
        pairs.append((float(score), float(bool(truth))))
    return pairs


def eer(pairs: Sequence[Pair]) -> float:
    """Equal error rate: where misses and false alarms are equally frequent.

    Between two thresholds both rates are taken for linear, so the rate is where the polygon through the points of the
    detection error curve crosses the diagonal (not its convex hull, which is never above it).

    Raises:
        ZeroDivisionError: no trials of the same speaker, or none of two speakers.
    """
    return _Trials(pairs).eer(None)


def min_dcf(pairs: Sequence[Pair]) -> float:
    """Least detection cost over all thresholds, P_TARGET misses + (1 - P_TARGET) false alarms, over `P_TARGET`.

    1 is what refusing everybody costs (NIST 2010 speaker recognition evaluation plan: costs 1 and 1, target prior
    0.01, normalised).

    Raises:
        ZeroDivisionError: no trials of the same speaker, or none of two speakers.
    """
    return _Trials(pairs).min_dcf(None)


def eer_by_speaker(candidate: Sequence[Pair], reference: Sequence[Pair], names: Sequence[str]) -> Estimate:
    """Equal error rate of `candidate` minus that of `reference`, with its 95 % interval. See `by_speaker`."""
    return widen(by_speaker(candidate, reference, names, lambda trials, weights: trials.eer(weights)), len(candidate))


def by_speaker(
    candidate: Sequence[Pair],
    reference: Sequence[Pair],
    names: Sequence[str],
    rate: Callable[[_Trials, Doubles | None], float],
    *,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A rate of `candidate` minus that of `reference`, with its 95 % percentile interval over drawn speakers.

    Speakers are drawn with replacement, the same for both. A speaker drawn twice counts twice in its own trials, and
    with everybody else; copies of the same speaker are not compared as two speakers.

    Args:
        names: of the trials, ``"SPEAKER/clip|SPEAKER/clip"``.

    Raises:
        BadInput: lengths differ, names are of another form, no trials of the same speaker, or none of two speakers.
    """
    with need("run", "an interval over speakers"):
        import numpy as np

    if not len(candidate) == len(reference) == len(names):
        raise BadInput(f"{len(candidate)}, {len(reference)} and {len(names)} trials cannot be paired.")
    left, right, speakers = _speakers(names)
    sides = [_Trials(candidate), _Trials(reference)]
    try:
        value = rate(sides[0], None) - rate(sides[1], None)
    except ZeroDivisionError as exc:
        raise BadInput("no trials of the same speaker, or none of two speakers: no rate can be computed.") from exc
    rng = np.random.default_rng(seed)
    drawn: list[float] = []
    for _ in range(50 * resamples):  # draws of a single speaker, which have no trials of two, are drawn again
        times = np.bincount(rng.integers(0, speakers, speakers), minlength=speakers).astype(np.float64)
        weights = np.where(left == right, times[left], times[left] * times[right])
        try:
            drawn.append(rate(sides[0], weights) - rate(sides[1], weights))
        except ZeroDivisionError:
            continue
        if len(drawn) == resamples:
            break
    tail = (1.0 - _CONFIDENCE) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Estimate(value, min(float(low), value), max(float(high), value))


def _speakers(names: Sequence[str]) -> tuple[Any, Any, int]:
    """Numbers of the first and the second speaker of every trial, and how many speakers there are."""
    known: dict[str, int] = {}
    sides: tuple[list[int], list[int]] = ([], [])
    for name in names:
        clips = name.split("|")
        if len(clips) != 2 or not all("/" in clip for clip in clips):
            raise BadInput(f"the trial {name!r} does not say whose voices are compared (SPEAKER/clip|SPEAKER/clip).")
        for side, clip in zip(sides, clips, strict=True):
            side.append(known.setdefault(clip.partition("/")[0], len(known)))
    return np.array(sides[0]), np.array(sides[1]), len(known)


class _Trials:
    """Trials in the order of their scores, so that rates at every threshold are sums along it."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        with need("run", "verification metrics"):
            import numpy as np

        scores = np.array([score for score, _ in pairs], np.float64)
        self._order = np.argsort(scores, kind="stable")
        self._targets = np.array([target for _, target in pairs], np.float64)[self._order]
        ordered = scores[self._order]
        # Only behind the last of equal scores can a threshold lie.
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(pairs) else np.zeros(0, int)

    def _rates(self, weights: Doubles | None) -> tuple[Doubles, Doubles]:
        """Misses and false alarms at every threshold, from accepting everything to accepting nothing."""
        weight = np.ones(len(self._targets)) if weights is None else weights[self._order]
        below = [np.cumsum(weight * kind)[self._ends] for kind in (self._targets, 1.0 - self._targets)]
        if not all(len(sums) and sums[-1] > 0 for sums in below):
            raise ZeroDivisionError("no trials of one kind")
        misses, refused = (np.concatenate([[0.0], sums / sums[-1]]) for sums in below)
        return misses, 1.0 - refused

    def eer(self, weights: Doubles | None) -> float:
        misses, alarms = self._rates(weights)
        at = int((misses < alarms).sum())  # both are monotonous: the first threshold with as many misses
        before, after = alarms[at - 1] - misses[at - 1], misses[at] - alarms[at]
        share = before / (before + after)
        return float(misses[at - 1] + share * (misses[at] - misses[at - 1]))

    def min_dcf(self, weights: Doubles | None) -> float:
        misses, alarms = self._rates(weights)
        return float((P_TARGET * misses + (1.0 - P_TARGET) * alarms).min() / P_TARGET)
