"""Image files -> uint8 RGB pixels, for every vision family. Files come from outside, so everything is checked.

Images that lose something are used, with a note about the loss (an animation's first frame, 16 bits cut to 8, CMYK
converted without a profile, transparency dropped); unusable images raise BadInput.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from edgekit.common.images import FORMATS, picture_file
from edgekit.common.lazy import Image, ImageOps, NDArray, np
from edgekit.errors import BadInput

_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def open_image(path: str | Path) -> tuple[Any, list[str]]:
    """The image at `path` as a PIL image in mode RGB, upright, and notes about losses.

    Raises:
        BadInput: not an image, damaged, too large, or without pixels. MissingExtra: Pillow is absent.
    """
    notes: list[str] = []
    with picture_file(Path(path)) as image:
        if getattr(image, "n_frames", 1) > 1:
            notes.append(f"has {image.n_frames} frames; only the first is used")
        image.load()
        return _rgb(ImageOps.exif_transpose(image), notes), notes


def _rgb(image: Any, notes: list[str]) -> Any:
    if image.mode == "RGB":
        return image
    if image.mode in _DEEP:
        notes.append(f"has more than 8 bits a pixel ({image.mode}); it is cut to 8")

        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if values.max(initial=0.0) > 255 else 255.0
        return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK":
        notes.append("is in CMYK; it is converted without a colour profile")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        notes.append("is transparent in places; what lies behind is taken from the file")
    return image.convert("RGBA").convert("RGB") if image.mode in ("P", "PA", "LA") else image.convert("RGB")


class Resize(TypedDict, total=False):
    """How a picture becomes a network's input: see `fit_image`, and for `letterbox`
    `edgekit.tasks.common.vision.placing.place_sample`; `antialias` tells apps that larger pictures are smoothed."""

    filter: str
    short_side: int
    size: Sequence[int]
    crop: str
    letterbox: bool
    antialias: bool


def pixels_of(sample: Any, rule: Resize | None, height: int, width: int) -> tuple[NDArray[Any], list[str]]:
    """A sample as a network takes it, uint8 [height, width, 3], and notes about losses.

    Args:
        sample: a file, or an array uint8 [height, width, 3] of any size; of this size it is taken as it is.
        rule: see `fit_image`.

    Raises:
        BadInput: it is neither, or cannot be read.
    """
    if isinstance(sample, (str, Path)):
        image, notes = open_image(sample)
        return fit_image(image, rule, height, width), notes
    array = pixels_in(sample)
    if array.shape[:2] == (height, width):
        return array, []
    return fit_image(Image.fromarray(array), rule, height, width), []


def pixels_in(sample: Any) -> NDArray[np.uint8]:
    """A sample that is an array, uint8 [height, width, 3]. Raises BadInput for another."""
    array = np.asarray(sample)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise BadInput(f"pixels are uint8 [height, width, 3], not {array.dtype} {list(array.shape)}.")
    return array


def fit_image(image: Any, rule: Resize | None, height: int, width: int) -> NDArray[Any]:
    """The image as a network takes it: uint8 [height, width, 3].

    Args:
        rule: of the bundle's facts, ``resize``: ``filter`` (Pillow's, in small letters); ``short_side``, to which it is
            scaled before its middle is taken, or ``size`` [height, width], or neither; ``crop``: "center", which rounds
            as torchvision and timm do, or "center, down", as transformers does. None: scaled whole, bilinear.
    """
    rule = rule or {}
    kind = rule.get("filter", "bicubic" if "short_side" in rule else "bilinear")
    down = "down" in rule.get("crop", "")
    if "short_side" in rule:
        return resize_and_crop(image, int(rule["short_side"]), height, width, kind, down=down)
    high, wide = rule.get("size", (height, width))
    if "size" in rule or not rule.get("crop"):
        image = image.resize((int(wide), int(high)), _filter(kind))
    return _middle(image, height, width, down)


def resize_image(image: Any, height: int, width: int) -> NDArray[Any]:
    """The whole image at another size, bilinear with antialiasing: uint8 [height, width, 3]."""
    return fit_image(image, None, height, width)


def resize_and_crop(
    image: Any, short_side: int, height: int, width: int, kind: str = "bicubic", *, down: bool = False
) -> NDArray[Any]:
    """The middle of the image once its shorter side is `short_side`: uint8 [height, width, 3].

    With antialiasing, sizes rounded as torchvision, timm and transformers do. Of an image that is longer than 8 times
    its width, only the middle is made larger: the rest would be cut away, but might not fit into memory before that.
    """
    wide, high = image.size
    if max(wide, high) > 8 * min(wide, high):
        half_w, half_h = min(wide, 4 * high), min(high, 4 * wide)
        left, top = (wide - half_w) // 2, (high - half_h) // 2
        image = image.crop((left, top, left + half_w, top + half_h))
        wide, high = image.size
    size = (short_side, short_side * high // wide) if wide <= high else (short_side * wide // high, short_side)
    return _middle(image.resize(size, _filter(kind)), height, width, down)


def _middle(image: Any, height: int, width: int, down: bool) -> NDArray[Any]:
    """The middle of an image; what it lacks is black."""
    wide, high = image.size
    halves = ((wide - width) // 2, (high - height) // 2)
    left, top = halves if down else (round((wide - width) / 2), round((high - height) / 2))
    return np.array(image.crop((left, top, left + width, top + height)), np.uint8)


def _filter(kind: str) -> Any:
    """Pillow's filter of a name. Raises BadInput if it has none."""
    try:
        return Image.Resampling[kind.upper()]
    except KeyError as exc:
        raise BadInput(f"there is no filter {kind!r} for resizing pictures.") from exc


def images_below(folder: Path) -> list[Path]:
    """Every image file in `folder` and its subfolders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and path.is_file())
