"""Are these inputs enough to take ranges of activations from?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.core import Feeds
from edgekit.errors import BadInput

__all__ = ["FEWEST", "different", "enough"]

#: Fewer different samples than this say nothing about ranges.
FEWEST = 8


def different(feeds: Sequence[Feeds]) -> int:
    """How many of `feeds` are not repetitions."""
    return len({b"".join(np.ascontiguousarray(feed[name]).tobytes() for name in sorted(feed)) for feed in feeds})


def enough(feeds: Sequence[Feeds], part: str) -> None:
    """Raise BadInput where `feeds` are too few, or too much the same, to take ranges from."""
    unlike = different(feeds)
    if unlike >= FEWEST:
        return
    told = f"{len(feeds)}"
    if unlike < len(feeds):
        told += ", all the same" if unlike == 1 else f", only {unlike} of them different"
    raise BadInput(
        f"static int8 needs at least {FEWEST} different calibration samples for the part {part!r}; there were {told}.",
        hint="Give a folder of real inputs with --calibration DIR (100 are plenty).",
    )
