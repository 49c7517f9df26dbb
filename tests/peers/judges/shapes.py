"""Calls of one shape: a judge whose graphs have fixed shapes is asked those alone."""

from __future__ import annotations

from asked import Question


def largest(question: Question) -> list[int]:
    """The places of the most calls whose inputs have the same shapes; of two such groups, the later."""
    groups: dict[str, list[int]] = {}
    for place, feeds in enumerate(question.inputs):
        groups.setdefault(str([(name, value.shape) for name, value in feeds.items()]), []).append(place)
    return max(reversed(groups.values()), key=len)


def of_one_shape(question: Question) -> tuple[Question, str]:
    """The question with these calls alone, and a clause that says so ("" where they are all)."""
    places = largest(question)
    sides = [[calls[i] for i in places] for calls in (question.inputs, question.here, question.fp32) if calls]
    few = "" if len(places) == len(question.inputs) else f"{len(places)} of {len(question.inputs)} calls, of one shape"
    return question._replace(**dict(zip(("inputs", "here", "fp32"), sides, strict=False))), few
