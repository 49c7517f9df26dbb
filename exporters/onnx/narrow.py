"""Recipes with fewer than 8 bits a weight, which a search tries; by declarations alone: nothing heavy is imported."""

from __future__ import annotations

from edgekit.core import Model, Recipe

__all__ = ["FEWEST", "WHOLE", "recipes"]

#: Mean bits of a weight that are possible, and the step between those that are tried for a limit of size.
FEWEST, WHOLE, _STEP = 3.0, 8.0, 0.05
#: Those that a search tries.
_BITS = (4.5, 5.5, 6.5)
#: Parts that are called again and again by a single row (a decoder) add up what they lose. Others get fewer bits, but
#: not below `_LEAST`. Of 2,259 words of whisper-base are unlike fp32's: 0.66 % in 8 bits, 1.02 % with 5.5 bits in the
#: encoder, 1.81 % with 5.5 bits in both parts.
_SPARED, _LEAST = 0.5, 4.0
#: The share of a limit of size that is spent: sizes are estimates.
_FILLED = 0.985


def recipes(exporter: str, model: Model, size: int | None) -> list[Recipe]:
    """The smallest first; none where the model has no products of matrices.

    Args:
        size: bytes that the bundle may have: the last recipe has as many bits as fit, if 8 do not.
    """
    eight = Recipe(exporter, "int8")
    works = model.costs.work(eight) if model.costs.work else ()
    quantized = {part.name for part in model.network.parts if part.quantize}
    kinds = {work.part: work.kind for work in works if work.part in quantized and work.kind in ("attention", "vector")}
    spared = _SPARED * ("vector" in kinds.values())

    def narrow(bits: float) -> Recipe:
        fewer = round(max(bits - spared, min(bits, _LEAST)), 2)
        return Recipe(
            exporter, "int8", {"bits": {part: bits if kinds[part] == "vector" else fewer for part in sorted(kinds)}}
        )

    if not kinds:
        return []
    if size is None or model.costs.size(eight) <= size:
        return [narrow(bits) for bits in _BITS]
    steps = (round(FEWEST + _STEP * i, 2) for i in range(round((WHOLE - FEWEST) / _STEP)))
    most = max((bits for bits in steps if model.costs.size(narrow(bits)) <= _FILLED * size), default=0.0)
    well_below = [bits for bits in _BITS if bits <= most - 0.5]
    return [narrow(bits) for bits in (*well_below, *([most] if most else []))]
