"""The one way in which a picture from outside is opened."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.common.files import need_file
from edgekit.errors import BadInput, need

#: Suffix of a file -> Pillow's name of the format. No other format is tried, whatever a file is called: Pillow hands
#: PostScript to Ghostscript, a program, and has readers of rare formats that nobody looks after.
FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".ppm": "PPM",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
}
#: Most decoded pixels: 20,000 x 20,000 would need 1.2 GB of RAM.
MOST_PIXELS = 200_000_000
#: Of a larger picture, most pixels for each byte of its file: no kind of file holds so much in so little.
_LARGE, _DENSEST = 1 << 24, 10_000


@contextlib.contextmanager
def picture_file(path: Path) -> Iterator[Any]:
    """The picture at `path` as Pillow opens it, not yet decoded.

    Raises:
        BadInput: no picture of `FORMATS`, too large, or what is done in the block shows that it is damaged.
        MissingExtra: Pillow is absent.
    """
    with need("run", "Reading images"):
        from PIL import Image, UnidentifiedImageError
    need_file(path, "image file")
    try:
        # Pillow only warns of decompression bombs; here the limit is an error.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=sorted({*FORMATS.values()})) as image:
                _check_size(path, image)
                yield image
    except UnidentifiedImageError as exc:
        kinds = ", ".join(suffix[1:] for suffix in FORMATS)
        raise BadInput(f"{path.name} is not an image of a kind that can be read.", hint=f"Kinds: {kinds}.") from exc
    except Image.DecompressionBombError as exc:
        raise BadInput(f"{path.name} has too many pixels: {exc}.") from exc
    except BadInput:
        raise
    except Exception as exc:  # Pillow's decoders raise many unrelated types over a damaged file
        raise BadInput(f"{path.name} is damaged: {exc}.", hint="Open it in an image viewer and save it again.") from exc


def _check_size(path: Path, image: Any) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise BadInput(
            f"{path.name} has {width} x {height} pixels; at most {MOST_PIXELS // 10**6} million are read.",
            hint="Make it smaller first.",
        )
    if width * height > max(_LARGE, _DENSEST * path.stat().st_size):
        raise BadInput(f"{path.name} says that it has {width} x {height} pixels, in {path.stat().st_size} bytes.")
