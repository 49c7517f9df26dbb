"""Calibration samples: are they enough to take ranges from, and which of them are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from edgekit.common.lazy import np
from edgekit.core import Feeds
from edgekit.errors import BadInput

#: Fewer different samples than this say nothing about ranges.
FEWEST = 8

Item = TypeVar("Item")


def shortage(feeds: Sequence[Feeds]) -> str:
    """How `feeds` are too few, or too much the same, to take ranges from; "" where they are enough."""
    different = len({b"".join(np.ascontiguousarray(feed[name]).tobytes() for name in sorted(feed)) for feed in feeds})
    arrays = [value for feed in feeds for value in feed.values() if value.size > 1]
    constant = bool(arrays) and all(value.min() == value.max() for value in arrays)
    if different >= FEWEST and not constant:
        return ""
    if different < len(feeds):
        return f"{len(feeds)}, " + ("all the same" if different == 1 else f"only {different} of them different")
    return f"{len(feeds)}, each of them one constant value" if constant else f"{len(feeds)}"


def check(feeds: Sequence[Feeds], part: str) -> None:
    """Raise BadInput where `feeds` are not enough for static int8."""
    if short := shortage(feeds):
        raise BadInput(
            f"static int8 needs at least {FEWEST} different calibration samples for the part {part!r}; "
            f"there were {short}.",
            hint="Give a folder of real inputs with --calibration DIR (100 are plenty), or choose --precision fp32.",
        )


def subsample_evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most `most` of `items`, evenly spaced, the first one among them."""
    return items[:: max(1, -(-len(items) // most))]
