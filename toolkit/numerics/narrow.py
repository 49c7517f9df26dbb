"""Whether the options of a recipe ask for weights of fewer than 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core import Facts

#: Bits of a weight of the form "four-bit", with its share of a scale: 16 bits for 32 weights.
FOUR_BITS = 4.5


def narrow_bits(options: Facts, part: str | None = None) -> float:
    """Bits that a weight of a part's products takes in the file on average, scales included; 0: nobody asked for fewer
    than 8. Without `part`: of the part that has the fewest."""

    def values_set_for(name: str) -> list[Any]:
        value = options.get(name)
        if not isinstance(value, Mapping):
            return [value]
        return list(value.values()) if part is None else [value.get(part)]

    fewest = min((float(bits) for bits in values_set_for("bits") if bits), default=0.0)
    forms = [*values_set_for("form"), *values_set_for("forms")]  # the second in bundles of before 2026-12
    return fewest or (FOUR_BITS if "four-bit" in forms else 0.0)
