"""The probabilities of residues as a picture: a column a residue, a row an amino acid."""

from __future__ import annotations

from typing import Any

from edgekit.common.lazy import Image, ImageDraw, np
from edgekit.core import Prediction

#: Pixels of a cell, and residues of a strip.
_CELL, _STRIP = 14, 64


def draw_prediction(prediction: Prediction) -> Any:
    """Darker is more probable, and the file's own amino acid has a frame: strips of 64 residues, as a PIL image."""
    letters, native = prediction.details["letters"][:20], prediction.details["native"]
    shares = np.exp(np.asarray(prediction.details["log_probabilities"]))[:, :20]
    strips, height = -(-len(native) // _STRIP), (len(letters) + 2) * _CELL
    image = Image.new("RGB", ((min(len(native), _STRIP) + 2) * _CELL, strips * height), "white")
    pen = ImageDraw.Draw(image)
    for row, letter in enumerate(letters * strips):
        top = (row // len(letters)) * height + (row % len(letters)) * _CELL
        pen.text((3, top + 2), letter, fill="black")
    for i, own in enumerate(native):
        left, top = (i % _STRIP + 1) * _CELL, (i // _STRIP) * height
        for row, letter in enumerate(letters):
            light = round(255 * (1.0 - float(shares[i, row])))
            corner = (left, top + row * _CELL)
            cell = (*corner, corner[0] + _CELL - 1, corner[1] + _CELL - 1)
            pen.rectangle(cell, fill=(light, light, 255), outline="red" if letter == own else None)
        pen.text((left + 3, top + len(letters) * _CELL + 2), own, fill="black")
    return image
