"""Calls of one shape: a judge whose graphs have fixed shapes is asked those alone."""

from __future__ import annotations

from collections.abc import Sequence

from asked import Arrays, Question


def largest(calls: Sequence[Arrays]) -> list[int]:
    """The places of the most calls whose inputs have the same shapes; of two such groups, the later."""
    groups: dict[str, list[int]] = {}
    for place, feeds in enumerate(calls):
        groups.setdefault(str([(name, value.shape) for name, value in feeds.items()]), []).append(place)
    return max(reversed(groups.values()), key=len)


def of_one_shape(question: Question) -> Question:
    places = largest(question.inputs)
    inputs, here, fp32 = ([side[i] for i in places if side] for side in question[3:])
    return question._replace(inputs=inputs, here=here, fp32=fp32)
