"""Data folders of object detection: pictures with boxes, as COCO writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Facts, Sample
from edgekit.tasks.common.vision.coco import Annotation, annotated_samples, box_of


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's instances, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``label``, ``box`` (left, top, right, bottom) and ``crowd``.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; a box that is outside of its picture or has no area.
    """
    return annotated_samples(folder, labels, _truth)


def _truth(one: Annotation) -> Facts:
    return {"label": one.label, "box": box_of(one), "crowd": bool(one.entry.iscrowd)}
