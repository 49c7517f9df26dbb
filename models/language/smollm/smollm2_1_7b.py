"""SmolLM2 1.7B Instruct (Ben Allal et al. 2025). Weights by the user: no revision is pinned."""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "smollm2-1-7b",
    Shape(
        "llama",
        ("llama",),
        layers=24,
        width=2048,
        feed=8192,
        heads=32,
        groups=32,
        head=64,
        vocabulary=49152,
        context=8192,
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    hub="hf://HuggingFaceTB/SmolLM2-1.7B-Instruct",
)
