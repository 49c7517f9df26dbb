"""Facts of a manifest, read as what they should be."""

from __future__ import annotations

from typing import TypeVar

from edgekit.core.values import Facts
from edgekit.errors import BadInput

_Kind = TypeVar("_Kind")


def fact_of(facts: Facts, name: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
    """The fact of that name: a number, a text, a list, a dataclass or a TypedDict, whose own further names are left
    out; `default` where there is none.

    Raises:
        BadInput: it is of another kind, and how; or there is none and no `default`.
    """
    import msgspec  # what only declares does without

    if default is not None and facts.get(name) is None:
        return default
    try:
        return msgspec.convert(facts.get(name), kind)
    except msgspec.ValidationError as exc:
        raise BadInput(
            f"the bundle's fact {name!r} is not what its pipeline reads: {exc}.", hint="Export the bundle again."
        ) from exc
