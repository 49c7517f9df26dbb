"""Comparing what two networks hear: the decision at the threshold, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Agreement, Facts, Prediction

_SHARE, _FAR = "share of frames with the same decision", "largest difference of a probability"
#: Decimals of a probability that a bundle keeps.
_DECIMALS = 3
#: Frames of a clip that may be decided otherwise.
_OTHER = 0.02


def _answer(prediction: Prediction) -> Facts:
    details = prediction.details
    heard = [round(float(value), _DECIMALS) for value in details["probabilities"]]
    return {"threshold": details["threshold"], "probabilities": heard}


def _is_nothing(answer: Any) -> bool:
    return not any(value >= answer["threshold"] for value in answer["probabilities"])


def _shares(answers: Sequence[Any], reference: Sequence[Any]) -> list[tuple[int, int]]:
    """Of each sound: frames with the same decision, frames. Sounds of other lengths have none in common."""
    pairs = []
    for answer, wanted in zip(answers, reference, strict=True):
        limit, mine, other = wanted["threshold"], answer["probabilities"], wanted["probabilities"]
        same = sum((a >= limit) == (b >= limit) for a, b in zip(mine, other, strict=False))
        pairs.append((same if len(mine) == len(other) else 0, len(other)))
    return pairs


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [same >= (1 - _OTHER) * frames for same, frames in _shares(answers, reference)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    same, frames = (sum(counts) for counts in zip(*_shares(answers, reference), strict=True))
    far = max(
        (
            abs(a - b)
            for answer, wanted in zip(answers, reference, strict=True)
            for a, b in zip(answer["probabilities"], wanted["probabilities"], strict=False)
        ),
        default=0.0,
    )
    return {_SHARE: same / frames if frames else 1.0, _FAR: far}


AGREEMENT = Agreement(
    "the same decision in 98 % of frames",
    _answer,
    _same,
    bar=0.9,
    figures=_figures,
    bars={_SHARE: 0.99},
    bounds=False,
    nothing=_is_nothing,
)
