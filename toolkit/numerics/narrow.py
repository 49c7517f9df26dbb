"""Which parts the options of a recipe ask to have weights of 4 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["narrow_parts"]


def narrow_parts(options: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """(parts whose products with a single row have 4 bits, parts whose products all have them)."""
    forms = options.get("forms")
    whole = (part for part, form in forms.items() if form == "four-bit") if isinstance(forms, Mapping) else ()
    return frozenset(options.get("small_parts", ())), frozenset(whole)
