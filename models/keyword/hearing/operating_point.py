"""The operating point of a keyword spotter: the threshold that keeps false alarms on the user's sound as rare as asked.

Events on sound without a word are false alarms (see `edgekit.numerics.alarms`). Where the sound is too short to show
what was asked, the point says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekit.core import Facts
from edgekit.errors import BadInput
from edgekit.models.keyword.hearing.pipeline import Heard
from edgekit.models.keyword.hearing.rules import STEPS
from edgekit.numerics.alarms import lowest, poisson_upper

_ASKED = "false_alarms_per_hour"
#: Where no false alarm was heard at all, the limit lies this share of the scale above the highest sum that was seen.
_MARGIN = 0.02


def operate(scores: Sequence[Any], truths: Sequence[Any], options: Facts) -> Facts:
    """The operating point.

    Args:
        scores: a `Heard` of every sound. truths: a word of the model where the sound holds it, else anything else.
        options: ``{"false_alarms_per_hour": x}``, or nothing: the limit stays, and is measured.

    Returns:
        ``limit`` (largest sum of scores that is no event), ``threshold`` (the same as a mean, 0..1), ``asked`` (false
        alarms an hour, or None), ``hours`` (of sound without a word), ``false_alarms``, ``at_most`` (an hour, with 95 %
        confidence), ``verdict`` ("measured": the sound shows what was asked; else "undecided"; "as published" where
        nothing was asked), ``missed`` and ``positives`` (sounds with a word), ``miss_rate`` (None without any).
        Of data whose samples are single looks: only the verdict "not measured", and why.

    Raises:
        BadInput: no sound without a word, or an unknown option.
    """
    asked = _parse_false_alarms(options)
    if all(len(heard.scores) < heard.mean.smoothed for heard in scores):
        if asked is None:
            return {"verdict": "not measured", "reason": "each sample is one look; an event takes more"}
        raise BadInput("each sample is one look, so no event can be counted.", hint="Give sounds, not features.")
    words = scores[0].mean.labels if scores else ()
    without = [heard for heard, truth in zip(scores, truths, strict=True) if truth not in words]
    wanted = [(heard, words.index(truth)) for heard, truth in zip(scores, truths, strict=True) if truth in words]
    hours = sum(heard.seconds for heard in without) / 3600
    if not hours:
        raise BadInput(
            "the data holds no sound without the word, so false alarms cannot be counted.",
            hint="Add folders of other speech and noise beside the word's own; see docs/wakewords.md.",
        )
    mean = scores[0].mean
    limit = mean.limit if asked is None else _limit(without, asked * hours)
    if asked is not None and asked * hours < 1:
        # A minute without a false alarm is no ground for a lower threshold than was published.
        limit = max(limit, mean.limit)
    alarms = sum(heard.hits(limit) for heard in without)
    at_most = poisson_upper(alarms) / hours
    missed = sum(not _is_detected(heard, word, limit) for heard, word in wanted)
    return {
        "limit": limit,
        "threshold": round(limit / (STEPS * mean.smoothed), 4),
        "asked": asked,
        "hours": round(hours, 4),
        "false_alarms": alarms,
        "at_most": round(at_most, 3),
        "verdict": "as published" if asked is None else "measured" if at_most <= asked else "undecided",
        "missed": missed,
        "positives": len(wanted),
        "miss_rate": round(missed / len(wanted), 4) if wanted else None,
    }


def _parse_false_alarms(options: Facts) -> float | None:
    for name in sorted(set(options) - {_ASKED}):
        raise BadInput(f"an operating point has no option {name!r}.", hint=f"There is: {_ASKED}.")
    asked = options.get(_ASKED)
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, (int, float)) or not 0 < asked < math.inf:
        raise BadInput(f"false alarms an hour must be a number above 0, not {asked!r}.")
    return float(asked)


def _limit(without: Sequence[Heard], allowed: float) -> int:
    """The lowest limit with at most `allowed` false alarms, and a margin where there is none at all."""
    top = STEPS * without[0].mean.smoothed
    events = [(score, 1) for heard in without for score in heard.strongest(math.floor(allowed) + 1)]
    limit = int(max(0, lowest(events, allowed)))
    if allowed < 1:
        limit = min(top - 1, limit + math.ceil(_MARGIN * top))
    return limit


def _is_detected(heard: Heard, word: int, limit: int) -> bool:
    """Whether the word, and not another word, is heard in it at all."""
    totals = heard.totals()
    return any(int(totals[place].argmax()) == word for place in heard.places(limit))
