"""Pictures of text, rendered: sentences, names and numbers in several fonts, sizes and colours, turned, blurred, noisy.

A half has fonts and sentences of its own. It is rendered and not photographed: no shadow, fold or perspective is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np
from edgekit.core import Evidence, Sample, Source, SourceFile
from edgekit.tasks.evidence.texts import SENTENCES

#: Pictures of each half; letters of a line; size of a picture in pixels; margin that text keeps when it is turned.
_COUNT, _LETTERS, _SIZE = 16, (14, 34), (640, 480)
#: By number of the picture: how far it is turned (degrees), its blur (pixels), its noise (levels of 255).
_ANGLES, _BLURS, _NOISES = (0, 0, 4, 0, -12, 180, 0, 90), (0, 0, 1.0, 0, 0, 0.6), (0, 6, 0, 14, 0)
#: Letters and paper.
_COLOURS = (
    ((20, 20, 20), (250, 250, 245)),
    ((240, 240, 240), (30, 60, 110)),
    ((150, 20, 30), (235, 225, 200)),
    ((60, 60, 60), (190, 195, 200)),
)
_SHORT = (
    ("Total 1,284.50", "Gate B27", "08:45 Platform 3", "No. 4711", "Open 9-17"),
    ("Invoice 20731", "Exit 15", "Room 308", "EUR 96.40", "14 July 1998"),
)


_CALADEA = "pypi://font-caladea@0.0.2/font_caladea/files/"
_SANS = "pypi://font-source-sans-pro@0.0.1/font_source_sans_pro/files/"
#: Of each half: (file, sha256, bytes, where it is).
_FONTS = (
    (
        ("Caladea-Regular.ttf", "d2f6cad33f191e65b68bd74e6d4f7708080a41b32db635866109df3090265d91", 58_964, _CALADEA),
        ("Caladea-Bold.ttf", "74eda4fc5ffba0d8dc4aa76d41499f5ab76168d9ed6141c6417064c6244db9b6", 58_892, _CALADEA),
    ),
    (
        (
            "SourceSansPro-Regular.ttf",
            "b77f3a700edd0fc0dec73258f882d5c3926c77f5caf6800a201d2166568d2309",
            293_956,
            _SANS,
        ),
        ("SourceSansPro-It.ttf", "36133e9f508b0b4c639e84b2a09855350be0b13700ad729ab519aa78e5c48d20", 104_236, _SANS),
    ),
)
_SOURCE = Source(
    "pypi://font-caladea and pypi://font-source-sans-pro",
    "0.0.2 and 0.0.1",
    "Apache-2.0 AND OFL-1.1",
    tuple(SourceFile(name, sha256, size, (where + name,)) for half in _FONTS for name, sha256, size, where in half),
)


@dataclass(frozen=True)
class _Look:
    """How a text is shown: size of its letters in pixels, turn in degrees, blur in pixels, noise in levels."""

    size: int
    angle: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    colours: tuple[tuple[int, int, int], tuple[int, int, int]] = _COLOURS[0]


def render_text(lines: Sequence[str], font: Any, look: _Look, seed: int = 0) -> Any:
    """Lines of text in a PIL image of 640 x 480 pixels."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    letters, paper = look.colours
    face = ImageFont.truetype(str(font), look.size)
    upright = _SIZE[::-1] if look.angle % 180 == 90 else _SIZE
    image = Image.new("RGB", upright, paper)
    pen = ImageDraw.Draw(image)
    step = round(1.6 * look.size)
    top = (upright[1] - step * len(lines)) // 2
    for number, line in enumerate(lines):
        left = max(8, (upright[0] - round(pen.textlength(line, font=face))) // 2)
        pen.text((left, top + number * step), line, fill=letters, font=face)
    image = image.rotate(look.angle, Image.Resampling.BICUBIC, expand=look.angle % 90 == 0, fillcolor=paper)
    if look.blur:
        image = image.filter(ImageFilter.GaussianBlur(look.blur))
    noise = look.noise * np.random.default_rng(seed).standard_normal((*image.size[::-1], 3))
    return Image.fromarray(np.clip(np.asarray(image, np.float64) + noise, 0, 255).astype(np.uint8))


def _samples(folder: Path) -> Sequence[Sample]:
    sentences = [str(sample.input) for sample in SENTENCES.samples(folder)]
    middle, samples = len(sentences) // 2, list[Sample]()
    for half, fonts in enumerate(_FONTS):
        for k in range(_COUNT):
            lines = _lines(half, k, sentences[middle * half : middle * (half + 1)])
            angle = float(_ANGLES[k % len(_ANGLES)])
            lines = lines[:1] if angle % 90 == 0 and angle else lines  # which line is first is asked of upright ones
            longest = max(len(line) for line in lines)
            size = min((18, 24, 34, 44)[k % 4], 1000 // longest)
            look = _Look(size, angle, _BLURS[k % len(_BLURS)], _NOISES[k % len(_NOISES)], _COLOURS[k // 2 % 4])
            picture = render_text(lines, folder / fonts[k % 2][0], look, 100 * half + k)
            name = f"{('caladea', 'source-sans')[half]}-{k + 1:02d}"
            samples.append(Sample(np.asarray(picture, np.uint8), "\n".join(lines), name, "en"))
    return samples


def _lines(half: int, k: int, sentences: Sequence[str]) -> list[str]:
    """Every fourth picture has something short, the others a line or two of a sentence."""
    import textwrap

    if k % 4 == 3:
        return [_SHORT[half][k // 4 % len(_SHORT[half])]]
    return textwrap.wrap(sentences[k], _LETTERS[k % 2])[: 1 + k % 2]


LETTERING = Evidence(
    "lettering",
    "Apache-2.0 AND OFL-1.1",
    f"{2 * _COUNT} pictures of text, rendered in Caladea and Source Sans; the sentences are of {SENTENCES.origin}",
    _samples,
    sources=(_SOURCE,),
)
