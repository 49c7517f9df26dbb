"""Qwen3 1.7B (Qwen Team 2025). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "qwen3-1-7b",
    Shape(
        "qwen3", (), layers=28, width=2048, feed=6144, heads=16, groups=8, head=128, vocabulary=151936, context=40960
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    hub="hf://Qwen/Qwen3-1.7B",
)
