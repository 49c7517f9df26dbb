"""Pictures side by side on a sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.common.files import replacing
from edgekit.common.lazy import np
from edgekit.errors import BadInput, need

#: Pixels of a picture's side on the sheet at least, and of the gap between two.
_LEAST, _GAP = 96, 4


def sheet(pictures: Any) -> Any:
    """Pictures uint8 [N, height, width, channels] (1: grey, 3: RGB) in rows, enlarged: a PIL image in mode RGB."""
    with need("run", "Drawing"):
        from PIL import Image
    arrays = np.asarray(pictures, np.uint8)
    count, high, wide, channels = arrays.shape
    times = max(1, -(-_LEAST // min(high, wide)))
    across = int(np.ceil(np.sqrt(count)))
    size = (wide * times + _GAP, high * times + _GAP)
    whole = Image.new("RGB", (across * size[0] + _GAP, -(-count // across) * size[1] + _GAP), "white")
    for number, array in enumerate(arrays):
        image = Image.fromarray(array.repeat(3, 2) if channels == 1 else array)
        image = image.resize((wide * times, high * times), Image.Resampling.NEAREST)
        whole.paste(image, (_GAP + number % across * size[0], _GAP + number // across * size[1]))
    return whole


def write(pictures: Any, out: str) -> Path:
    """The sheet as a .png file. Raises BadInput for another ending."""
    place = Path(out)
    if place.suffix.lower() != ".png":
        raise BadInput(f"{out!r} is no .png file.", hint="Write for example: --out sheet.png")
    with replacing(place) as fresh:
        sheet(pictures).save(fresh, format="PNG")
    return place
