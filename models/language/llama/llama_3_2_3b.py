"""Llama 3.2 3B Instruct (Meta 2024). Its licence must be accepted, here and at its hub.

Weights by the user: no revision is pinned.
"""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "llama-3-2-3b",
    Shape(
        "llama", (), layers=28, width=3072, feed=8192, heads=24, groups=8, head=128, vocabulary=128256, context=131072
    ),
    "LicenseRef-Llama-3.2",
    "data/licences/llama-notice.txt",
    hub="hf://meta-llama/Llama-3.2-3B-Instruct",
    terms="llama3.2",
)
