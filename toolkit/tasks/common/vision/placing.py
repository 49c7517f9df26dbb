"""A picture laid whole into a network's input, and the way back from the input's positions to the picture's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput
from edgekit.tasks.common.drawing import picture_of
from edgekit.tasks.common.pictures import Resize, fit_image, open_image


@dataclass(frozen=True)
class Placed:
    """A picture in a network's input.

    Attributes:
        pixels: uint8 [height, width, 3]. size: width and height of the picture. notes: about losses.
        corner, extent: where the picture lies in the input: left and top, width and height, as shares of the input.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    corner: tuple[float, float] = (0.0, 0.0)
    extent: tuple[float, float] = (1.0, 1.0)

    def back(self, points: Any) -> NDArray[np.float64]:
        """Positions (x, y) as shares of the input, [.., 2] -> in pixels of the picture; not cut at its edges."""
        shares = (np.asarray(points, np.float64) - self.corner) / self.extent
        return np.asarray(shares * self.size)


def place_sample(sample: Any, rule: Resize | None, height: int, width: int) -> Placed:
    """A sample, a file or uint8 [height, width, 3], in an input of this size.

    Args:
        rule: see `edgekit.tasks.common.pictures.fit_image`, of which a picture must stay whole; or with ``letterbox``
            true it keeps its proportions, in the middle, and what is left is black.

    Raises:
        BadInput: it cannot be read, or the rule would cut it.
    """
    rule = rule or {}
    image, notes = open_image(sample) if not hasattr(sample, "dtype") else (picture_of(sample), [])
    size = (int(image.width), int(image.height))
    if rule.get("letterbox"):
        return _letterbox(image, size, tuple(notes), (height, width), str(rule.get("filter", "bilinear")))
    if "short_side" in rule or rule.get("crop"):
        raise BadInput("the network's input is a part of the picture only, so its positions have no way back.")
    return Placed(fit_image(image, rule, height, width), size, tuple(notes))


def _letterbox(image: Any, size: tuple[int, int], notes: tuple[str, ...], room: tuple[int, int], kind: str) -> Placed:
    height, width = room
    scale = min(width / size[0], height / size[1])
    wide, high = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    left, top = (width - wide) // 2, (height - high) // 2
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[top : top + high, left : left + wide] = fit_image(image, {"filter": kind}, high, wide)
    return Placed(pixels, size, notes, (left / width, top / height), (wide / width, high / height))
