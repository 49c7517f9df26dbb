"""Qwen2.5 1.5B Instruct (Qwen Team 2024). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "qwen2-5-1-5b",
    Shape(
        "qwen2", (), layers=28, width=1536, feed=8960, heads=12, groups=2, head=128, vocabulary=151936, context=32768
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    hub="hf://Qwen/Qwen2.5-1.5B-Instruct",
)
