"""Files of annotations in COCO's form (https://cocodataset.org/#format-data), every value checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgekit.common.documents import read_json
from edgekit.common.files import is_inside
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.common.pictures import images_below

FILE, _IMAGES = "annotations.json", "images"
_LARGEST = 2 << 30
#: Pixels that a box may stand over the edge: annotators' rounding.
_OVER = 1.0


class _Category(msgspec.Struct):
    id: int
    name: str


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: float = 0.0
    height: float = 0.0


class Entry(msgspec.Struct):
    """What the file says of an annotation: `bbox` is left, top, width and height in pixels; `keypoints` are triples of
    x, y and whether it is labelled."""

    image_id: int
    category_id: int
    id: Any = None
    bbox: tuple[float, float, float, float] | None = None
    keypoints: list[float] = []
    iscrowd: int | bool = False


class _Content(msgspec.Struct):
    images: list[_Image]
    annotations: list[Entry]
    categories: list[_Category]


@dataclass(frozen=True)
class Annotation:
    """An annotation: its label, and what the file says of it and of its image. `what` names it in errors."""

    label: str
    entry: Entry
    image: _Image
    what: str


def annotated_samples(folder: Path, labels: Sequence[str], truth: Callable[[Annotation], Any]) -> list[Sample]:
    """A sample of each picture of ``annotations.json`` and ``images/``; without that file, every picture and no truth.

    Args:
        labels: that the model knows. truth: what is true of an annotation; a picture's truth is a list of these.

    Raises:
        BadInput: no picture; a file that is not of COCO's form; a class that the model does not know.
    """
    file = folder / FILE
    if not file.is_file():
        return plain_samples(images_below(folder), folder, f"neither an {FILE} nor any picture")
    content = _read(file)
    named = {category.id: category.name for category in content.categories}
    images = {image.id: image for image in content.images}
    held: dict[int, list[Annotation]] = {at: [] for at in images}
    for entry in content.annotations:
        what = f"annotation {entry.id!r} of {FILE}"
        if entry.image_id not in images:
            raise BadInput(f"{what} is of image {entry.image_id}, which is not listed.")
        label = named.get(entry.category_id, f"category {entry.category_id}")
        if label not in labels:
            raise _unknown(what, label, labels)
        held[entry.image_id].append(Annotation(label, entry, images[entry.image_id], what))
    return [
        Sample(str(_picture(folder, image.file_name)), [truth(one) for one in held[at]], image.file_name)
        for at, image in images.items()
    ]


def box_of(annotation: Annotation) -> list[float]:
    """Left, top, right and bottom in pixels. Raises BadInput for a box outside of its picture or without an area."""
    box, image, what = annotation.entry.bbox, annotation.image, annotation.what
    if box is None:
        raise BadInput(f"{what} has no bbox [left, top, width, height].")
    left, top, width, height = box
    if width <= 0 or height <= 0:
        raise BadInput(f"{what} has a box without an area: {box}.", hint="Take it out.")
    wide, high = image.width, image.height
    if wide <= 0 or high <= 0:
        raise BadInput(f"the image {image.file_name!r} of {FILE} has no width and height.")
    if left < -_OVER or top < -_OVER or left + width > wide + _OVER or top + height > high + _OVER:
        raise BadInput(
            f"{what} has a box outside of its picture of {wide:.0f} x {high:.0f} pixels: {box}.",
            hint="COCO's boxes are [left, top, width, height] in pixels.",
        )
    return [max(left, 0.0), max(top, 0.0), min(left + width, wide), min(top + height, high)]


def _read(file: Path) -> _Content:
    content: _Content = read_json(file, _LARGEST, _Content, "COCO's form: see docs/data.md.")
    return content


def _unknown(what: str, name: str, labels: Sequence[str]) -> BadInput:
    known = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    return BadInput(
        f"{what} is of the class {name!r}, which the model does not know.",
        hint=f"It knows: {known}. Take the other annotations out, or rename the category.",
    )


def _picture(folder: Path, name: str) -> Path:
    if not is_inside(name) or not (folder / _IMAGES / name).is_file():
        raise BadInput(f"there is no image {name!r} in {_IMAGES}/, which {FILE} lists.")
    return folder / _IMAGES / name
