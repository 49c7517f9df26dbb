"""Data folders of image classification."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.common.pictures import images_below


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``labels.csv`` (file, class_index) and ``images/``; without them, every picture, without a truth.

    Raises:
        BadInput: a file that is not there or listed twice, or a class out of range.
    """
    table = folder / "labels.csv"
    if not table.is_file():
        return plain_samples(images_below(folder), folder, "neither a labels.csv nor any picture")
    listed: dict[str, Sample] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            name, index = (row.get("file") or "").strip(), (row.get("class_index") or "").strip()
            if not name or not index.lstrip("-").isdigit():
                raise BadInput(f"{table}, line {number}: expected file,class_index.")
            if not 0 <= int(index) < len(labels):
                raise BadInput(f"{table}, line {number}: class {index} is out of range; there are {len(labels)}.")
            if name in listed:
                raise BadInput(f"{table}, line {number}: {name!r} is listed twice.")
            path = folder / "images" / name
            if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
                raise BadInput(f"{table}, line {number}: there is no image {name!r} in images/.")
            listed[name] = Sample(str(path), labels[int(index)], name)
    return list(listed.values())
