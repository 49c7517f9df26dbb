"""The question that every exporter asks first."""

from __future__ import annotations

from collections.abc import Collection

from edgekit.core import Recipe
from edgekit.errors import Unsupported

__all__ = ["check"]


def check(name: str, precisions: Collection[str], recipe: Recipe) -> None:
    """Raise Unsupported unless the exporter `name` has the recipe's precision."""
    if recipe.precision not in precisions:
        raise Unsupported(
            f"the {name} exporter has no precision {recipe.precision!r}.", hint=f"It has: {', '.join(precisions)}."
        )
