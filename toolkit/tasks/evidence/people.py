"""Views of photographs with a person, and photographs without: for what looks for faces, bodies and hands.

Three persons are in the photographs that travel with edgekit: the first half shows one, the second half the two
others. Each photograph is also seen nearer, farther, mirrored, turned, darker, paler and blurred, as a camera in a hand
sees. That makes more views, and not more people (docs/evidence.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import halves

_PERSONS = (("astronaut-1", "astronaut-2"), ("hopper-1", "obama-1"))
_OTHERS = (
    ("aitzgorri-1", "casa-mila-1", "coffee-1", "dandelion-1", "oakland-zoo-otters-1", "rocket-1"),
    ("barrel-1", "canyon-wren-1", "chelsea-1", "china-1", "flower-1", "picosdeeuropa-1"),
)

_Change = Callable[[Any], Any]


def _views() -> dict[str, _Change]:
    from PIL import Image, ImageEnhance, ImageFilter, ImageOps

    def part(left: float, top: float, right: float, bottom: float) -> _Change:
        return lambda image: image.crop(
            (image.width * left, image.height * top, image.width * right, image.height * bottom)
        )

    def farther(share: float) -> _Change:
        def change(image: Any) -> Any:
            around = Image.new("RGB", (round(image.width / share), round(image.height / share)), (96, 104, 112))
            around.paste(image, ((around.width - image.width) // 3, (around.height - image.height) // 2))
            return around

        return change

    return {
        "whole": lambda image: image,
        "mirrored": ImageOps.mirror,
        "farther": farther(0.7),
        "far": farther(0.45),
        "near": part(0.08, 0.0, 0.95, 0.85),
        "nearer, mirrored": lambda image: ImageOps.mirror(part(0.05, 0.0, 0.92, 0.75)(image)),
        "turned": lambda image: image.rotate(12, Image.Resampling.BICUBIC),
        "turned back": lambda image: image.rotate(-9, Image.Resampling.BICUBIC),
        "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.55),
        "pale": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    }


def _samples(folder: Path) -> Sequence[Sample]:
    from edgekit.tasks.common.pictures import open_image

    samples = []
    for half, persons, others in zip(halves("pictures"), _PERSONS, _OTHERS, strict=True):
        files = {path.stem: path for path in half}
        for name in persons:
            image, _ = open_image(files[name])
            samples += [
                Sample(np.asarray(change(image), np.uint8), None, f"{name}-{view}", source=name.rpartition("-")[0])
                for view, change in _views().items()
            ]
        samples += [Sample(str(files[name]), None, name, source=name.rpartition("-")[0]) for name in others]
    return samples


PEOPLE = Evidence(
    "people",
    "CC0-1.0 AND CC-BY-4.0 AND CC-BY-2.0",
    "44 views of four photographs of three persons, and 12 photographs without a person, of the photographs' sources",
    _samples,
)
