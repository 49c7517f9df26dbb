"""Share of the residues of a protein that are named as in nature: sequence recovery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bench.metrics.pairing import side_by_side
from edgekit.bench.statistics.paired import Pair
from edgekit.errors import BadInput


def recovery(outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en") -> list[Pair]:
    """Per structure, (residues that are the native ones, residues that are known).

    Args:
        outputs: mappings with ``sequence``. truths: native sequences; X is an unknown residue.

    Raises:
        BadInput: lengths differ, or a structure has no sequence.
    """
    pairs: list[Pair] = []
    for output, truth in side_by_side(outputs, truths):
        if not isinstance(truth, str) or len(truth) != len(output["sequence"]):
            raise BadInput("a structure has no native sequence, or one of another length.")
        both = [(mine, native) for mine, native in zip(output["sequence"], truth, strict=True) if native != "X"]
        pairs.append((float(sum(mine == native for mine, native in both)), float(len(both))))
    return pairs
