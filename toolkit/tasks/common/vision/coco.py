"""Files of annotations in COCO's form (https://cocodataset.org/#format-data), every value checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.common.files import is_inside
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import plain_samples
from edgekit.tasks.common.pictures import images_below

FILE, _IMAGES = "annotations.json", "images"
_LARGEST = 2 << 30
#: Pixels that a box may stand over the edge: annotators' rounding.
_OVER = 1.0


@dataclass(frozen=True)
class Annotation:
    """An annotation: its label, and what the file says of it and of its image. `what` names it in errors."""

    label: str
    entry: Mapping[str, Any]
    image: Mapping[str, Any]
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
    named = {_whole(entry, "id", "a category"): str(entry.get("name")) for entry in _entries(content, "categories")}
    images = {_whole(entry, "id", "an image"): entry for entry in _entries(content, "images")}
    held: dict[int, list[Annotation]] = {at: [] for at in images}
    for entry in _entries(content, "annotations"):
        what = f"annotation {entry.get('id')!r} of {FILE}"
        place, kind = _whole(entry, "image_id", what), _whole(entry, "category_id", what)
        if place not in images:
            raise BadInput(f"{what} is of image {place}, which is not listed.")
        if named.get(kind) not in labels:
            raise _unknown(what, named.get(kind, f"category {kind}"), labels)
        held[place].append(Annotation(named[kind], entry, images[place], what))
    return [
        Sample(str(_picture(folder, image)), [truth(one) for one in held[at]], str(image["file_name"]))
        for at, image in images.items()
    ]


def box_of(annotation: Annotation) -> list[float]:
    """Left, top, right and bottom in pixels. Raises BadInput for a box outside of its picture or without an area."""
    box, image, what = annotation.entry.get("bbox"), annotation.image, annotation.what
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(side) for side in box):
        raise BadInput(f"{what} has no bbox [left, top, width, height]: {box!r}.")
    left, top, width, height = (float(side) for side in box)
    if width <= 0 or height <= 0:
        raise BadInput(f"{what} has a box without an area: {box}.", hint="Take it out.")
    wide, high = (float(image[side]) if is_number(image.get(side)) else 0.0 for side in ("width", "height"))
    if wide <= 0 or high <= 0:
        raise BadInput(f"the image {image.get('file_name')!r} of {FILE} has no width and height.")
    if left < -_OVER or top < -_OVER or left + width > wide + _OVER or top + height > high + _OVER:
        raise BadInput(
            f"{what} has a box outside of its picture of {wide:.0f} x {high:.0f} pixels: {box}.",
            hint="COCO's boxes are [left, top, width, height] in pixels.",
        )
    return [max(left, 0.0), max(top, 0.0), min(left + width, wide), min(top + height, high)]


def _read(file: Path) -> Mapping[str, Any]:
    if file.stat().st_size > _LARGEST:
        raise BadInput(f"{file} is too large for annotations.")
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise BadInput(f"{file} is not JSON: {exc}.") from exc
    if not isinstance(content, dict):
        raise BadInput(f"{file} is not of COCO's form: it has no images, annotations and categories.")
    return content


def _entries(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = content.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{FILE} has no list of {name}, as COCO's files have.", hint="See docs/data.md.")
    return entries


def _whole(entry: Mapping[str, Any], name: str, what: str) -> int:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{what} has no whole number {name!r}: {value!r}.")
    return value


def _unknown(what: str, name: str, labels: Sequence[str]) -> BadInput:
    known = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    return BadInput(
        f"{what} is of the class {name!r}, which the model does not know.",
        hint=f"It knows: {known}. Take the other annotations out, or rename the category.",
    )


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _picture(folder: Path, image: Mapping[str, Any]) -> Path:
    name = image.get("file_name")
    if not isinstance(name, str) or not is_inside(name) or not (folder / _IMAGES / name).is_file():
        raise BadInput(f"there is no image {name!r} in {_IMAGES}/, which {FILE} lists.")
    return folder / _IMAGES / name
