"""llama.cpp's own way back from the bytes of its types, in Python, from the source that the libraries are built of."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from conftest import absent
from numpy.typing import NDArray

from edgekit.llama import library


def dequantized(raw: NDArray[Any], kind: str) -> NDArray[Any]:
    """Float32 weights of rows of bytes."""
    folder = library.folder() / "source" / "vendor" / "llama.cpp" / "gguf-py"
    if not folder.is_dir():
        absent(f"llama.cpp's source is not here: {library.BUILD} --source-only")
    sys.path.insert(0, str(folder))
    try:
        from gguf import GGMLQuantizationType, dequantize  # type: ignore[import-not-found, import-untyped, unused-ignore]
    finally:
        del sys.path[0]
    return dequantize(raw, GGMLQuantizationType[kind.upper()])


def perplexity_error(score: Any) -> float:
    """Standard error of a `TextScore`'s perplexity, as llama-perplexity prints it: tokens as if independent."""
    count = int(score.counts.sum())
    variance = float(score.squares.sum()) / count - (float(score.nll.sum()) / count) ** 2
    return float(score.perplexity * np.sqrt(max(0.0, variance) / max(1, count - 1)))


def mean_kld_error(score: Any) -> float:
    """Standard error of its mean KL divergence, tokens as if independent."""
    return float(score.kld.std() / np.sqrt(max(1, score.kld.size - 1)))
