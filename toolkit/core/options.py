"""The options of a pipeline: which names there are, and what their values may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgekit.errors import BadInput, UnknownOption

#: What a program may give to any pipeline. It is no option that a user types.
_INTERNAL = "progress"
#: Words for yes and no, as they are typed.
_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownOption for a name that is none of `known`."""
    known = tuple(name for name in known if name != _INTERNAL)
    if unknown := set(given) - {_INTERNAL, *known}:
        raise UnknownOption.of(min(unknown), known)


def truth(name: str, value: Any) -> bool:
    """The value of an option that is yes or no.

    Args:
        value: a boolean, 1 or 0, or one of yes, no, on, off, true, false in any case: "no" itself would count as true.

    Raises:
        BadInput: anything else.
    """
    if value in (True, False):  # 1 and 0, too
        return bool(value)
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    raise BadInput(f"{name} is yes or no, not {value!r}.", hint=f"Give one of: {', '.join(_WORDS)}, as -o {name}=yes")
