"""How far the probabilities of two networks lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.lazy import np
from edgekit.tasks.common.agreement import array_distances


def divergences(answers: Sequence[Any], reference: Sequence[Any]) -> list[float]:
    """For each structure the mean KL divergence of its residues from the reference's, in nats.

    Infinite where an answer has another shape, or is not finite.

    Args:
        answers, reference: of each structure the log-probabilities, [residues][letters].
    """
    return array_distances(answers, reference, lambda mine, other: (np.exp(other) * (other - mine)).sum(1).mean())


def figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    """The mean divergence of a structure, and the share of residues whose most probable letter is the reference's."""
    far = divergences(answers, reference)
    pairs = [
        (np.argmax(answer, 1), np.argmax(wanted, 1))
        for answer, wanted, value in zip(answers, reference, far, strict=True)
        if value < float("inf")
    ]
    if not pairs:
        return {}
    same = np.concatenate([mine == other for mine, other in pairs])
    return {
        "mean KL divergence in nats": sum(far) / len(far),
        "share of residues with the same letter": float(same.mean()),
    }
