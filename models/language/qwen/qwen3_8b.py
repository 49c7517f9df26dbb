"""Qwen3 8B (Qwen Team 2025). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "qwen3-8b",
    Shape(
        "qwen3",
        (),
        layers=36,
        width=4096,
        feed=12288,
        heads=32,
        groups=8,
        head=128,
        vocabulary=151936,
        context=40960,
        output=True,
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    hub="hf://Qwen/Qwen3-8B",
)
