"""Recall of recommendations: how many of the things that a person chose later are among the first ten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput

_FIRST = 10


def recall(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per person, (later choices among the first ten; later choices, ten at most).

    Args:
        outputs: mappings with ``items``, ids of items, best first. truths: ids of what was chosen later.

    Raises:
        BadInput: lengths differ, or a person has no later choice.
    """
    pairs: list[Pair] = []
    for output, truth in side_by_side(outputs, truths):
        if not truth:
            raise BadInput("a person has no later choice; recall needs one at least for each.")
        later = set(truth)
        hits = len(later & set(output["items"][:_FIRST]))
        pairs.append((float(hits), float(min(_FIRST, len(later)))))
    return pairs
