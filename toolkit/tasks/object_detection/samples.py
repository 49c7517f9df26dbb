"""Data folders of object detection: pictures with boxes, as COCO writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.core import Sample
from edgekit.tasks.common.vision.coco import FILE, box_of, read_annotations


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's instances, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``label``, ``box`` (left, top, right, bottom) and ``crowd``.

    Raises:
        BadInput: see `edgekit.tasks.common.vision.coco`; a box that is outside of its picture or has no area.
    """
    pairs = list(read_annotations(folder, labels))
    if not (folder / FILE).is_file():
        return [sample for sample, _ in pairs]
    return [
        replace(
            sample,
            truth=[
                {"label": one.label, "box": box_of(one), "crowd": bool(one.entry.get("iscrowd"))} for one in annotations
            ],
        )
        for sample, annotations in pairs
    ]
