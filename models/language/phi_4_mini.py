"""Phi-4-mini Instruct, 3.8B (Microsoft 2025). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "phi-4-mini",
    Shape(
        "phi3", (), layers=32, width=3072, feed=8192, heads=24, groups=8, head=128, vocabulary=200064, context=131072
    ),
    "MIT",
    "data/licences/phi-licence.txt",
    hub="hf://microsoft/Phi-4-mini-instruct",
)
