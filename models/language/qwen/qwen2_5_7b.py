"""Qwen2.5 7B Instruct (Qwen Team 2024). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "qwen2-5-7b",
    Shape(
        "qwen2",
        (),
        layers=28,
        width=3584,
        feed=18944,
        heads=28,
        groups=4,
        head=128,
        vocabulary=152064,
        context=32768,
        output=True,
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    hub="hf://Qwen/Qwen2.5-7B-Instruct",
)
