"""Options of the form NAME=VALUE."""

from __future__ import annotations

from typing import Any

from edgekit.errors import BadInput

__all__ = ["option", "pair"]


def option(text: str) -> tuple[str, Any]:
    """Name and value of ``name=value``; the value is read as JSON if it is JSON ("true", "5", "[0]"), else as text."""
    import json

    name, value = pair(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def pair(text: str) -> tuple[str, str]:
    """Name and value of ``name=value``, as text. Raises BadInput for another form."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput(f"an option has the form NAME=VALUE, not {text!r}.")
    return name, value
