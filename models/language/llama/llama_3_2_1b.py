"""Llama 3.2 1B Instruct (Meta 2024). Its licence must be accepted, here and at its hub.

Weights by the user: no revision is pinned.
"""

from __future__ import annotations

from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

MODEL = language_model(
    "llama-3-2-1b",
    Shape(
        "llama", (), layers=16, width=2048, feed=8192, heads=32, groups=8, head=64, vocabulary=128256, context=131072
    ),
    "LicenseRef-Llama-3.2",
    "data/licences/llama-notice.txt",
    hub="hf://meta-llama/Llama-3.2-1B-Instruct",
    terms="llama3.2",
)
