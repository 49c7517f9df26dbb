"""Data folders of object detection: pictures with boxes, as COCO writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import is_inside
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.pictures import images_below

__all__ = ["samples"]

_FILE, _IMAGES = "annotations.json", "images"
_LARGEST = 2 << 30
#: Pixels that a box may stand over the edge: annotators' rounding.
_OVER = 1.0


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``annotations.json``, as COCO's instances, and ``images/``; without it, every picture without a truth.

    The truth of a picture is a list of mappings with ``label``, ``box`` (left, top, right, bottom) and ``crowd``.

    Args:
        labels: that the model knows.

    Raises:
        BadInput: no picture; a file that is not of COCO's form; a box that is outside of its picture or has no area; a
            class that the model does not know.
    """
    file = folder / _FILE
    if not file.is_file():
        pictures = images_below(folder)
        if not pictures:
            raise BadInput(f"{folder} holds neither an {_FILE} nor any picture.", hint="See docs/data.md.")
        return [Sample(str(path), None, path.name) for path in pictures]
    content = _read(file)
    named = {_whole(entry, "id", "a category"): str(entry.get("name")) for entry in _entries(content, "categories")}
    images = {_whole(entry, "id", "an image"): entry for entry in _entries(content, "images")}
    truths: dict[int, list[dict[str, Any]]] = {at: [] for at in images}
    for entry in _entries(content, "annotations"):
        what = f"annotation {entry.get('id')!r} of {_FILE}"
        image, kind = _whole(entry, "image_id", what), _whole(entry, "category_id", what)
        if image not in images:
            raise BadInput(f"{what} is of image {image}, which is not listed.")
        if named.get(kind) not in labels:
            raise _unknown(what, named.get(kind, f"category {kind}"), labels)
        box = _box(entry, images[image], what)
        truths[image].append({"label": named[kind], "box": box, "crowd": bool(entry.get("iscrowd"))})
    return [Sample(str(_picture(folder, images[at])), truths[at], str(images[at]["file_name"])) for at in images]


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
        raise BadInput(f"{_FILE} has no list of {name}, as COCO's files have.", hint="See docs/data.md.")
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


def _box(entry: Mapping[str, Any], image: Mapping[str, Any], what: str) -> list[float]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_real(side) for side in box):
        raise BadInput(f"{what} has no bbox [left, top, width, height]: {box!r}.")
    left, top, width, height = (float(side) for side in box)
    if width <= 0 or height <= 0:
        raise BadInput(f"{what} has a box without an area: {box}.", hint="Take it out.")
    sides = [image.get("width"), image.get("height")]
    if not all(_real(side) and side > 0 for side in sides):
        raise BadInput(f"the image {image.get('file_name')!r} of {_FILE} has no width and height.")
    wide, high = (float(side or 0) for side in sides)
    if left < -_OVER or top < -_OVER or left + width > wide + _OVER or top + height > high + _OVER:
        raise BadInput(
            f"{what} has a box outside of its picture of {wide:.0f} x {high:.0f} pixels: {box}.",
            hint="COCO's boxes are [left, top, width, height] in pixels.",
        )
    return [max(left, 0.0), max(top, 0.0), min(left + width, wide), min(top + height, high)]


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _picture(folder: Path, image: Mapping[str, Any]) -> Path:
    name = image.get("file_name")
    if not isinstance(name, str) or not is_inside(name) or not (folder / _IMAGES / name).is_file():
        raise BadInput(f"there is no image {name!r} in {_IMAGES}/, which {_FILE} lists.")
    return folder / _IMAGES / name
