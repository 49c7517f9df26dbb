"""How many phrases a detector misses where false alarms are as rare as asked: "FRR at false alarms per hour".

The threshold is the lowest that keeps the false alarms on the data's own sound without the phrase; each model has its
own, as each bundle has (its operating point). So what is compared is how well two models tell phrase and other sound
apart, and not where their thresholds happen to lie.

The interval of a difference is the wider, at either end, of two. A bootstrap over clips knows that thresholds come by
chance too: the same clips are drawn for both models, those with the phrase and the others each among themselves, and
thresholds are chosen anew. Where no clip is missed by either it says [0, 0] however few there are, and Tango's interval
(`edgekit.bench.statistics.mcnemar`) over the clips with the phrase does not.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics import mcnemar
from edgekit.bench.statistics.paired import Estimate, Pair
from edgekit.bench.statistics.proportion import CONFIDENCE
from edgekit.errors import BadInput
from edgekit.numerics.alarms import NOTHING, lowest

#: False alarms an hour that are allowed: openWakeWord's and microWakeWord's own goal.
PER_HOUR = 0.5
_RESAMPLES, _CONFIDENCE = 2000, CONFIDENCE


class Clip(tuple[float, float]):
    """One clip as a pair: (score of its strongest event, hours of sound without the phrase: 0 for a clip with it).

    Attributes:
        events: the scores of its events, the strongest first; of a clip with the phrase only the first counts.
    """

    events: tuple[float, ...]

    def __new__(cls, events: Sequence[float], hours: float) -> Clip:
        clip = super().__new__(cls, (events[0] if events else -math.inf, hours))
        clip.events = tuple(events)
        return clip


def absent(truths: Sequence[Any]) -> str:
    """What these truths lack for a rate of misses at a rate of false alarms ("" if nothing), to end a sentence."""
    phrase = sum(truth is not None and truth != NOTHING for truth in truths)
    if not phrase:
        return "the data holds no sound with the phrase, so nothing can be missed"
    return (
        "" if phrase < len(truths) else "the data holds no sound without the phrase, so false alarms cannot be counted"
    )


def clips(
    outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en", per_hour: float = PER_HOUR
) -> list[Pair]:
    """Per sound, its `Clip`.

    Args:
        outputs: each with ``seconds`` (of sound) and ``strongest(count)``: the scores of so many events, the strongest
            first, fewer where there are fewer.
        truths: `NOTHING` for sound without the phrase, anything else for sound with it.

    Raises:
        BadInput: lengths differ, a truth or scores are missing, a sound lasts no time, or all or none has the phrase.
    """
    for at, (output, truth) in enumerate(side_by_side(outputs, truths)):
        if truth is None or not hasattr(output, "strongest"):
            raise BadInput(f"sound {at} has no {'truth' if truth is None else 'scores of events'}; FRR needs them.")
        if not 0 < output.seconds < math.inf:
            raise BadInput(f"sound {at} lasts {output.seconds} s, so it has no false alarms an hour.")
    if why := absent(truths):
        raise BadInput(f"{why}.", hint="Give a folder named after the phrase, and other sound beside it.")
    hours = [0.0 if truth != NOTHING else output.seconds / 3600 for output, truth in zip(outputs, truths, strict=True)]
    # More events than the longest data that can be drawn from these clips would allow decide nothing.
    most = math.floor(per_hour * max(hours) * len(hours)) + 1
    return [
        Clip(output.strongest(most if truth == NOTHING else 1), length)
        for output, truth, length in zip(outputs, truths, hours, strict=True)
    ]


def threshold(pairs: Sequence[Pair], per_hour: float = PER_HOUR) -> float:
    """The lowest score that must be exceeded for at most `per_hour` false alarms an hour
    (`edgekit.numerics.alarms.lowest`)."""
    return _threshold(pairs, _kinds(pairs)[1], per_hour)


def frr(pairs: Sequence[Pair], per_hour: float = PER_HOUR) -> float:
    """Share of the clips with the phrase whose strongest event is not above that threshold.

    Args:
        pairs: `Clip`s, as `clips` gives them. per_hour: false alarms an hour.

    Raises:
        ZeroDivisionError: there are no clips with the phrase, or none without it.
    """
    phrase, other = _kinds(pairs)
    if not other:
        raise ZeroDivisionError("no sound without the phrase")
    return sum(_miss_flags(pairs, phrase, other, per_hour)) / len(phrase)


def difference(
    candidate: Sequence[Pair],
    reference: Sequence[Pair],
    names: Sequence[str] = (),
    *,
    per_hour: float = PER_HOUR,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """`frr` of the candidate less the reference's on the same clips, with its 95 % interval (see the file's text).

    Args:
        names: of the clips; not used, as each counts for itself.

    Raises:
        BadInput: the clips of the two are not the same, or all have the phrase, or none has it.
    """
    if [hours for _, hours in candidate] != [hours for _, hours in reference]:
        raise BadInput(f"{len(candidate)} candidate clips and {len(reference)} reference clips are not the same clips.")
    phrase, other = _kinds(candidate)
    if not phrase or not other:
        raise BadInput("there are no clips with the phrase, or none without it: no rate can be computed.")
    sides = (candidate, reference)
    # What counts as right here is a miss, so that the difference has the sign of the rate's.
    new, old = ([(float(missed), 1.0) for missed in _miss_flags(side, phrase, other, per_hour)] for side in sides)
    exact = mcnemar.difference(new, old)
    rng, drawn = random.Random(seed), []
    for _ in range(resamples):
        some, rest = (rng.choices(kind, k=len(kind)) for kind in (phrase, other))
        lost, base = (sum(_miss_flags(side, some, rest, per_hour)) for side in sides)
        drawn.append((lost - base) / len(phrase))
    drawn.sort()
    tail = round((1 - _CONFIDENCE) / 2 * (len(drawn) - 1))
    return Estimate(exact.value, min(exact.low, drawn[tail]), max(exact.high, drawn[-1 - tail]))


def doubt(pairs: Sequence[Pair], per_hour: float = PER_HOUR) -> str:
    """Why a good rate on these clips proves nothing at `per_hour` ("" if it does), to end a sentence."""
    hours = sum(hours for _, hours in pairs)
    if hours * per_hour >= 1:
        return ""
    need = f"{per_hour:g} false alarms an hour take {1 / per_hour:.3g} hours of sound without the phrase to show"
    return f"{need}; there are {hours:.2f}"


def _kinds(pairs: Sequence[Pair]) -> tuple[list[int], list[int]]:
    """Places of the clips with the phrase, and of the others."""
    phrase, other = ([i for i, (_, hours) in enumerate(pairs) if (hours > 0) == kind] for kind in (False, True))
    return phrase, other


def _threshold(pairs: Sequence[Pair], other: Sequence[int], per_hour: float) -> float:
    """See `threshold`; a clip that is twice in `other` counts twice, its sound and its events."""
    hours = sum(pairs[i][1] for i in other)
    times = Counter(other)
    return lowest([(score, times[i]) for i in times for score in _events(pairs[i])], hours * per_hour)


def _miss_flags(pairs: Sequence[Pair], phrase: Sequence[int], other: Sequence[int], per_hour: float) -> list[bool]:
    """Of each clip in `phrase`, whether it is missed at the threshold that the clips in `other` give."""
    limit = _threshold(pairs, other, per_hour)
    return [pairs[i][0] <= limit for i in phrase]


def _events(pair: Pair) -> Sequence[float]:
    return pair.events if isinstance(pair, Clip) else pair[:1]
