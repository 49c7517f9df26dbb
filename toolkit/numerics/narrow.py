"""Which parts the options of a recipe ask to have weights of fewer than 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["FOUR_BITS", "narrow_parts"]

#: Bits of a weight of the form "four-bit", with its share of a scale: 16 bits for 32 weights.
FOUR_BITS = 4.5


def narrow_parts(options: Mapping[str, Any]) -> dict[str, float]:
    """Part -> bits that a weight of its products takes in the file on average, scales included."""
    forms, bits = (options.get(name) for name in ("forms", "bits"))
    asked = (part for part, form in forms.items() if form == "four-bit") if isinstance(forms, Mapping) else ()
    return dict.fromkeys(asked, FOUR_BITS) | (dict(bits) if isinstance(bits, Mapping) else {})
