"""The pipeline from a picture to points: detect, cut out upright, find the points, and lay them back.

After MediaPipe's hands and pose (Zhang et al. 2020, arXiv:2006.10214; Bazarevsky et al. 2020, arXiv:2006.10204).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from edgekit.common.lazy import Image, NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.tasks.common.drawing import Canvas, picture_of
from edgekit.tasks.common.vision.detector import Box, Detector


@dataclass(frozen=True)
class Region:
    """A square of a picture, turned.

    Attributes:
        x, y: its middle, in pixels. side: in pixels. angle: by which its content is turned, in radians, clockwise.
    """

    x: float
    y: float
    side: float
    angle: float

    def to_pixels(self, shares: Any) -> NDArray[np.float64]:
        """Positions as shares of the square, [.., 2] -> in pixels of the picture."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        offsets = (np.asarray(shares, np.float64) - 0.5) * self.side
        turned = offsets @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned + (self.x, self.y))

    def cut(self, image: Any, size: int) -> NDArray[np.uint8]:
        """What it holds of a PIL image, upright, uint8 [size, size, 3]; black outside of the picture."""
        step = self.side / size
        cos, sin = math.cos(self.angle) * step, math.sin(self.angle) * step
        left, top = self.to_pixels([0.0, 0.0])
        inverse = (cos, -sin, float(left), sin, cos, float(top))
        turned = image.transform((size, size), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
        return np.array(turned, np.uint8)


class RegionRule(TypedDict):
    """A square around a thing: `start` and `end` are indices of the two points; `around`: "circle" (default), whose
    middle is the first point and on which the second lies, or "box", by whose height times `shift` the square is moved
    along the line, downwards."""

    start: int
    end: int
    scale: float
    around: NotRequired[str]
    shift: NotRequired[float]


def region(thing: Box, rule: RegionRule) -> Region:
    """The square around a detected thing, turned so that the line from one of its points to another stands upright.

    Args:
        thing: ``points`` and, if the rule asks for it, ``whole``, the uncut box, in pixels
            (`edgekit.tasks.common.vision.detector.Detector`).
    """
    (x, y), (across, down) = thing["points"][rule["start"]], thing["points"][rule["end"]]
    angle, scale = math.pi / 2 - math.atan2(y - down, across - x), rule["scale"]
    if rule.get("around", "circle") == "circle":
        return Region(x, y, 2 * math.dist((x, y), (across, down)) * scale, angle)
    left, top, right, bottom = thing["whole"]
    width, height = right - left, bottom - top
    moved = rule["shift"] * height
    x, y = (left + right) / 2 - moved * math.sin(angle), (top + bottom) / 2 + moved * math.cos(angle)
    return Region(x, y, max(width, height) * scale, angle)


class Keypoints(Predictor):
    """From a picture to points.

    Parts: ``detector``, as `edgekit.tasks.common.vision.detector.Detector` takes it; ``landmarks``: ``crop`` uint8
    [1, size, size, 3] -> ``places`` float32 [1, K, 2] (x, y as shares of the crop) and ``presence`` float32 [1, 1] (the
    probability that it shows such an object).

    `facts`: ``detector`` (see there); ``region`` (see `region`); ``size`` of the crop; ``presence``, the least;
    ``most`` objects of a picture; ``names`` of the points and ``links`` between them.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._detector = Detector({"network": parts["detector"]}, folder, fact_of(facts, "detector", dict))
        self._landmarks, self._facts = parts["landmarks"], facts

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The objects in a picture as text, and in the detail ``objects`` their points: mappings with ``label``,
        ``score`` and ``points`` [[x, y], ..] in pixels of the picture, also outside of it.

        Args:
            sample: a file, or an array uint8 [height, width, 3] of any size.

        Raises:
            BadInput: it cannot be used, or an option is unknown.
        """
        check_names(options, ())
        detected = self._detector.predict(sample)
        image = picture_of(sample)
        found = []
        for box in detected.details["boxes"][: fact_of(self._facts, "most", int)]:
            one = self._object(image, box)
            if one is not None:
                found.append(one)
        lines = [f"{one['score']:.3f}  {one['label']}  {len(one['points'])} points" for one in found] or ["nothing"]
        names, links = fact_of(self._facts, "names", list[str]), fact_of(self._facts, "links", list[list[int]])
        notes = detected.details["notes"]
        details = {"objects": found, "names": names, "links": links, "lines": lines, "notes": notes}
        said = ", ".join(one["label"] for one in found) or "nothing"
        return Prediction(said, details, {"images": 1.0}, score=found)

    def _object(self, image: Any, box: Box) -> dict[str, Any] | None:
        """The points of a detected object; None if the second network does not see one."""
        square = region(box, fact_of(self._facts, "region", RegionRule))
        if not 1.0 <= square.side < 1e5:
            return None
        crop = square.cut(image, fact_of(self._facts, "size", int))
        outputs = self._landmarks({self._landmarks.inputs[0].name: crop[None]})
        presence = float(outputs["presence"].reshape(-1)[0])
        if presence < fact_of(self._facts, "presence", float):
            return None
        points = square.to_pixels(outputs["places"][0]).tolist()
        return {"label": box["label"], "score": presence, "points": points}


def draw_prediction(sample: Any, prediction: Prediction) -> Any:
    """The picture with its points and the lines between them, as a PIL image."""
    canvas = Canvas(picture_of(sample))
    links = [(int(first), int(second)) for first, second in prediction.details["links"]]
    for number, one in enumerate(prediction.details["objects"]):
        canvas.points(one["points"], links, number)
    return canvas.image
