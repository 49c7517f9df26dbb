"""Data folders of image segmentation: pictures, and masks of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.folders import need_files, plain_samples
from edgekit.tasks.common.pictures import images_below, open_image

_IMAGES, _MASKS = "images", "masks"
_IGNORED = 255
_MODES = ("L", "P", "1")


def samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``images/`` and ``masks/NAME.png``, whose pixels are class numbers (255: does not count); without
    masks, every picture, without a truth.

    Raises:
        BadInput: no picture, a mask that is missing, of another size, no whole numbers, or with an unknown class.
    """
    masks = folder / _MASKS
    if not masks.is_dir():
        return plain_samples(images_below(folder), folder, f"neither {_IMAGES}/ and {_MASKS}/ nor any picture")
    pictures = need_files(images_below(folder / _IMAGES), folder, f"no picture in {_IMAGES}/")
    return [Sample(str(path), _mask(masks / f"{path.stem}.png", path, len(labels)), path.name) for path in pictures]


def _mask(file: Path, picture: Path, classes: int) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    if not file.is_file():
        raise BadInput(f"there is no mask {file.name} in {_MASKS}/ for {picture.name}.")
    try:
        with Image.open(file) as image:
            if image.mode not in _MODES:
                raise BadInput(f"the mask {file.name} is no picture of class numbers, but of mode {image.mode}.")
            mask = np.asarray(image, np.uint8)
    except (UnidentifiedImageError, OSError, ValueError) as exc:
        raise BadInput(f"the mask {file.name} cannot be read: {exc}.") from exc
    size: Any = open_image(picture)[0].size
    if mask.shape != (size[1], size[0]):
        raise BadInput(
            f"the mask {file.name} has {mask.shape[1]} x {mask.shape[0]} pixels; its picture has {size[0]} x {size[1]}."
        )
    known = mask[mask != _IGNORED]
    if known.size and int(known.max()) >= classes:
        raise BadInput(f"the mask {file.name} has the class {int(known.max())}; the model knows {classes} classes.")
    return mask
