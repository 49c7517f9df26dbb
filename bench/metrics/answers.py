"""Right answers to questions: texts that are equal, or fields of a JSON object that are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput


def right(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per question, (how much of it is right, 1).

    Args:
        outputs: texts, or what JSON says. truths: for each a tuple of texts, of which the output must be one, but for
            whitespace at its ends and for how much of it is between words; or a mapping of fields, of which the share
            counts that the output has with an equal value.

    Raises:
        BadInput: lengths differ, or a question has no right answer.
    """
    pairs = side_by_side(outputs, truths)
    if not all(truths):
        raise BadInput("a question has no right answer.")
    return [(_right(output, truth), 1.0) for output, truth in pairs]


def _right(output: Any, truth: Any) -> float:
    if not isinstance(truth, Mapping):
        return float(isinstance(output, str) and " ".join(output.split()) in {" ".join(text.split()) for text in truth})
    if not isinstance(output, Mapping):
        return 0.0
    return sum(name in output and _equal(output[name], value) for name, value in truth.items()) / len(truth)


def _equal(value: Any, wanted: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, but true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_equal(value[name], wanted[name]) for name in wanted)
    return bool(value == wanted)
