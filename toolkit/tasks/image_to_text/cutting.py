"""Lines of text cut out of a picture, upright, in the size that a network reads."""

from __future__ import annotations

from typing import Any, TypeAlias

from edgekit.common.lazy import Image, NDArray, np

Pixels: TypeAlias = "NDArray[np.uint8]"

#: What is this much higher than wide is a line that runs upwards or downwards.
_UPRIGHT = 1.5
#: Beside a line: 0 after normalisation, as in training.
_GREY = 128
#: Where a long line may be parted: in the last share of a piece.
_LAST = 0.35


def cut(image: Any, corners: Any) -> Any:
    """What a rectangle holds of a PIL image, as a PIL image of its size in pixels, its first side above.

    Args:
        corners: [4, 2] (x, y) from the upper left on clockwise. A rectangle that stands on its short side is laid down,
            its right side above.
    """
    origin, right, _, below = np.asarray(corners, np.float64)
    wide, high = np.hypot(*(right - origin)), np.hypot(*(below - origin))
    size = max(1, round(float(wide))), max(1, round(float(high)))
    (ax, ay), (bx, by) = (right - origin) / size[0], (below - origin) / size[1]
    # An output pixel's middle, half a pixel from its corner, lies at the same share of the rectangle.
    inverse = (ax, bx, float(origin[0]), ay, by, float(origin[1]))
    line = image.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    return line.transpose(Image.Transpose.ROTATE_90) if high >= _UPRIGHT * wide else line


def pieces(line: Any, height: int, most: int) -> list[Pixels]:
    """A line as pictures uint8 [height, width, 3], each at most `most` wide; a longer line is parted where its columns
    are the most alike, as between two words."""
    width = max(1, round(line.width * height / line.height))
    pixels = np.asarray(line.resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    parts = []
    while pixels.shape[1] > most:
        spread = pixels.astype(np.float32).mean(2).std(0)
        smooth = np.convolve(spread, np.ones(5) / 5, "same")
        start = round(most * (1 - _LAST))
        at = start + int(np.argmin(smooth[start:most]))
        parts.append(pixels[:, :at])
        pixels = pixels[:, at:]
    return [*parts, pixels]


def pad_to_width(pixels: Pixels, width: int) -> Pixels:
    """A piece in an input uint8 [1, height, width, 3]: at the left, grey beside it; a wider one is squeezed."""
    height, wide, _ = pixels.shape
    if wide > width:
        pixels, wide = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)), width
    whole = np.full((1, height, width, 3), _GREY, np.uint8)
    whole[0, :, :wide] = pixels
    return whole
