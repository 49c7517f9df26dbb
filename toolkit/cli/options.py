"""Options of the form NAME=VALUE."""

from __future__ import annotations

from typing import Any

from edgekit.errors import BadInput

__all__ = ["option", "pair"]


def option(text: str) -> tuple[str, Any]:
    """``name=value`` with the value read as JSON where it is JSON ("true", "5", "[0]"), else as text."""
    import json

    name, value = pair(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def pair(text: str) -> tuple[str, str]:
    """``name=value`` as two texts."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise BadInput(f"an option has the form NAME=VALUE, not {text!r}.")
    return name, value
