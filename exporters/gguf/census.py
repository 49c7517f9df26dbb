"""What a .gguf really holds: bytes by type, true bits per weight, and where its name promises more than it keeps.

The K and IQ types work on blocks of 256 weights. Where a row is no multiple of that, llama.cpp falls back to a larger
or worse type of 32, in silence: of SmolLM2's "Q4_K_M", 8 MB of 105 MB are Q4_K.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypedDict

from edgekit.formats import gguf

#: Precision -> the type that it is named after, for those whose type has blocks of 256.
_NOMINAL = {
    **{name: name[:4] for name in gguf.FILE_TYPES if "_k" in name},
    "iq4_xs": "iq4_xs",
    "iq3_xxs": "iq3_xxs",
    "iq3_xs": "iq3_s",
    "iq3_s": "iq3_s",
    "iq3_m": "iq3_s",
    "iq2_xxs": "iq2_xxs",
    "iq2_xs": "iq2_xs",
    "iq2_s": "iq2_xs",
    "iq2_m": "iq2_s",
    "iq1_s": "iq1_s",
    "iq1_m": "iq1_m",
}
_BLOCK = 256
_FLOAT = ("f32", "f16", "bf16")
_MEGA = 1e6


def nominal(precision: str) -> str:
    """The tensor type that `precision` is named after."""
    return _NOMINAL.get(precision, precision)


class Rounding(TypedDict):
    """How a file was rounded, for its census: `chunks` and `tokens` of the text, `bytes`, those of llama.cpp's own
    choice of types, and matrix -> relative root mean square error of its products on the calibration text."""

    by: str
    chunks: int
    tokens: int
    bytes: int
    bytes_of_llama_cpp: int
    errors: dict[str, float]


class Fallback(TypedDict):
    """A type that llama.cpp took in place of another: for how many tensors of how many bytes, and why."""

    type: str
    tensors: int
    bytes: int
    reason: str


def census(
    file: Path, precision: str, source: str, matrix: dict[str, int] | None, rounding: Rounding | None = None
) -> dict[str, Any]:
    """Facts about `file` (JSON-able).

    Args:
        precision: what was asked for. source: a sentence about what it was made of.
        matrix: "chunks" and "tokens" of the importance matrix; None without it.
        rounding: what `edgekit.exporters.gguf.rounding` says; None where llama.cpp rounded.

    Returns:
        ``label`` (a sentence for people), ``bytes`` by type, ``bits_per_weight``, ``parameters``, ``tensors`` (name ->
        type), ``fallbacks`` (list of `Fallback`), ``source``, ``importance_matrix``, ``rounding``.
    """
    header = gguf.read(file)
    facts = gguf.census(header)
    fallbacks = _fallbacks(header, precision) if rounding is None else []
    return {
        "label": _label(precision, facts, fallbacks, rounding),
        "file_type": header.file_type,
        "source": source,
        "importance_matrix": matrix,
        "rounding": rounding,
        "bytes": dict(facts.bytes),
        "bits_per_weight": round(facts.bits_per_weight, 3),
        "parameters": facts.parameters,
        "fallbacks": fallbacks,
        "tensors": {tensor.name: tensor.type for tensor in header.tensors},
    }


def _fallbacks(header: gguf.Gguf, precision: str) -> list[Fallback]:
    if precision not in _NOMINAL:
        return []
    tensors: Counter[tuple[str, int]] = Counter()
    held: Counter[tuple[str, int]] = Counter()
    for tensor in header.tensors:
        if len(tensor.shape) > 1 and tensor.type not in _FLOAT[:1] and tensor.shape[0] % _BLOCK:
            tensors[tensor.type, tensor.shape[0]] += 1
            held[tensor.type, tensor.shape[0]] += tensor.size
    return [
        Fallback(type=kind, tensors=tensors[kind, row], bytes=size, reason=why)
        for (kind, row), size in held.most_common()
        for why in [f"rows of {row} weights are no multiple of {_BLOCK}"]
    ]


def _label(precision: str, facts: gguf.Census, fallbacks: list[Fallback], rounding: Rounding | None) -> str:
    total, bits = sum(facts.bytes.values()), f"{facts.bits_per_weight:.2f} bits per weight"
    if rounding is not None:
        parts = ", ".join(f"{size / _MEGA:.0f} MB {kind}" for kind, size in facts.bytes.items() if size >= _MEGA / 2)
        return f"{precision}, rounded by {rounding['by']}: {parts}; {bits}"
    wanted = facts.bytes.get(nominal(precision), 0)
    text = f"{precision}: {wanted / _MEGA:.0f} MB of {total / _MEGA:.0f} MB are {nominal(precision)}, {bits}"
    if fallbacks:
        rows = sorted({fallback["reason"] for fallback in fallbacks})
        kinds = sorted({fallback["type"] for fallback in fallbacks})
        text += f"; llama.cpp fell back to {', '.join(kinds)}: {' and '.join(rows)}"
    return text
