"""Gemma 3 1B Instruct (Gemma Team 2025). Its terms of use must be accepted, here and at its hub.

Weights by the user: no revision is pinned.
"""

from __future__ import annotations

from edgekit.formats.gguf.language import GEMMA, language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "gemma3-1b",
    Shape(
        "gemma3",
        ("gemma3_text",),
        layers=26,
        width=1152,
        feed=6912,
        heads=4,
        groups=1,
        head=256,
        vocabulary=262144,
        context=32768,
        window=512,
    ),
    GEMMA,
    "data/licences/gemma-notice.txt",
    hub="hf://google/gemma-3-1b-it",
    terms="gemma",
)
