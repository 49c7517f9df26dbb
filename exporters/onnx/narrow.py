"""Recipes with fewer bits a weight, or in less time, which a search tries; by declarations alone: nothing heavy is
imported."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from edgekit.core import Model, Recipe

#: Mean bits of a weight that are possible, and the step between those that are tried for a limit of size.
FEWEST, WHOLE, _STEP = 3.0, 8.0, 0.01
#: Those that a search tries.
_BITS = (4.5, 5.5, 6.5)
#: The least share of products' time in float that can be asked for, and the shares that a search tries.
FASTEST, _SHARES = 0.05, (0.5, 0.4, 0.3)
#: What parts that see whole sequences (an encoder) get more than those that are called again and again by a single row
#: (a decoder). These hold most of the weights, with an embedding that is hardly moved by wide steps: with 5.5 bits in
#: whisper-base's encoder (20 million weights) the next token moves by as much as with 5.5 bits in its decoder (52
#: million).
_MORE = 0.5


def recipes(recipe: Recipe, model: Model, size: int | None) -> list[Recipe]:
    """The smallest first; none where the model has no products of matrices.

    Args:
        recipe: names the runtime. size: bytes that the bundle may have by its estimate: the last recipe has as many
            bits as fit, if 8 do not.
    """
    eight = replace(recipe, precision="int8", options={})
    kinds = _kinds(eight, model)
    more = _MORE * ("vector" in kinds.values())

    def narrow(bits: float) -> Recipe:
        above = round(min(bits + more, WHOLE), 2)
        each = {part: bits if kinds[part] == "vector" else above for part in sorted(kinds)}
        return replace(eight, options={"bits": each})

    if not kinds:
        return []
    if size is None or model.costs.size(eight) <= size:
        return [narrow(bits) for bits in _BITS]
    steps = [round(FEWEST + _STEP * i, 2) for i in range(round((WHOLE - FEWEST) / _STEP))]
    fitting = bisect_right(steps, size, key=lambda bits: model.costs.size(narrow(bits)))
    most = steps[fitting - 1] if fitting else 0.0
    well_below = [bits for bits in _BITS if bits <= most - 0.5]
    return [narrow(bits) for bits in (*well_below, *([most] if most else []))]


def faster_recipes(recipe: Recipe, model: Model, size: int | None) -> list[Recipe]:
    """int8 that takes less and less time and moves the outputs more and more; none where no part has products of
    matrices with many rows.

    Args:
        recipe, size: as for `recipes`.
    """
    eight = replace(recipe, precision="int8", options={})
    parts = sorted(part for part, kind in _kinds(eight, model).items() if kind == "attention")
    small = size is not None and model.costs.size(eight) > size
    options = [one.options for one in recipes(recipe, model, size)[-1:]] if small else [{}]
    shares = [dict.fromkeys(parts, share) for share in _SHARES] if parts else []
    return [replace(eight, options={**own, "time": share}) for own in options for share in shares]


def _kinds(eight: Recipe, model: Model) -> dict[str, str]:
    """Part -> its main work, of those that are quantized and made of products of matrices."""
    works = model.costs.work(eight) if model.costs.work else ()
    quantized = {part.name for part in model.network.parts if part.quantize}
    return {work.part: work.kind for work in works if work.part in quantized and work.kind in ("attention", "vector")}
