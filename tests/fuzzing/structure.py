"""Changes to a JSON document that keep it JSON: what stands behind a parser is reached, and not the parser alone."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

__all__ = ["changed"]

#: Values that readers seldom expect.
_STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 2**31 - 1, 2**31, -(2**31), 2**62, 2**63, 2**64, -(2**63), 10**30),
    *(0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf")),
    *("", "0", "..", "../x", "/etc/hostname", "\0", "é", "\ud800", "a" * 300, "0x10", "-1", "NaN", "None"),
    *([], {}, [[]], [0], [-1], [None], {"": None}, [[[[[[]]]]]]),
)


def changed(data: bytes, most: int, seed: int, other: Callable[[bytes, int], bytes]) -> bytes:
    """`data` with up to four changes of its structure; what is no JSON, and every tenth, is changed by `other`.

    Args:
        most: bytes of the result at most. other: changes bytes that need not mean anything.
    """
    rng = random.Random(seed)
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return other(data, most)
    if rng.random() < 0.1:
        return other(data, most)
    for _ in range(rng.randint(1, 4)):
        tree = _step(tree, rng, other)
    out = json.dumps(tree).encode()
    return out if len(out) <= most else other(data, most)


def _step(tree: Any, rng: random.Random, other: Callable[[bytes, int], bytes]) -> Any:
    """`tree` with one change, somewhere."""
    places = _places(tree)
    if not places:
        return copy.deepcopy(rng.choice(_STRANGE))
    holder, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(rng.randint(0, len(holder)), holder[key])
    elif kind == 2:  # of another place in the document: of a right form, perhaps
        beside, name = rng.choice(places)
        if name in beside if isinstance(beside, dict) else name < len(beside):
            holder[key] = copy.deepcopy(beside[name])
    elif kind == 3:
        holder[key] = copy.deepcopy(rng.choice(_STRANGE))
    else:
        holder[key] = _nudged(holder[key], rng, other)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value of the document as its holder and its key there, down to a depth that no format has."""
    places: list[tuple[Any, Any]] = []
    waiting = [(tree, 0)]
    while waiting:
        holder, depth = waiting.pop()
        if depth > 40 or not isinstance(holder, dict | list):
            continue
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            places.append((holder, key))
            waiting.append((holder[key], depth + 1))
    return places


def _nudged(value: Any, rng: random.Random, other: Callable[[bytes, int], bytes]) -> Any:
    """Nearly the same value."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, value * 2, value // 2, value << 31, float(value)))
    if isinstance(value, float):
        return rng.choice((-value, value * 1e30, value / 1e30, 0.0))
    if isinstance(value, str):
        return other(value.encode("utf-8", "surrogatepass"), len(value) + 8).decode("utf-8", "replace")
    return copy.deepcopy(rng.choice(_STRANGE))
