"""Checks of JSON: each takes a value and gives it back clean, or raises ValueError that says what is wrong with it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.core import Json

Check = Callable[[Any], Any]
_DOTTED = re.compile(r"\w+(\.\w+)*", re.ASCII)
_INFINITE = ("Infinity", "-Infinity", "NaN")


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    fields = {**required, **(optional or {})}

    def check(data: Any) -> dict[str, Json]:
        if not isinstance(data, dict) or (lacking := required.keys() - data.keys()):
            raise ValueError(f"an entry without {min(lacking) if isinstance(data, dict) else 'fields'}")
        if unknown := data.keys() - fields.keys():
            raise ValueError(f"the field {min(unknown)[:60]!r}, which is not known: is it of a newer torch?")
        return {key: fields[key](value) for key, value in data.items() if fields[key] is not drop_field}

    return check


def either(alternatives: Mapping[str, Check]) -> Check:
    def check(data: Any) -> dict[str, Json]:
        if not isinstance(data, dict) or len(data) != 1:
            raise ValueError("a value of no kind, or of several")
        key, value = next(iter(data.items()))
        if key not in alternatives:
            raise ValueError(f"a value of the kind {str(key)[:60]!r}, which is not read")
        return {key: alternatives[key](value)}

    return check


def each(item: Check) -> Check:
    def check(data: Any) -> list[Any]:
        if not isinstance(data, list):
            raise ValueError("a single value in place of a list")
        return [item(value) for value in data]

    return check


def table(key: Check, item: Check) -> Check:
    def check(data: Any) -> dict[str, Json]:
        if not isinstance(data, dict):
            raise ValueError("a single value in place of a table")
        return {key(name): item(value) for name, value in data.items()}

    return check


def optional(item: Check) -> Check:
    return lambda data: None if data is None else item(data)


def integer(data: Any) -> int:
    if type(data) is not int or abs(data) >= 2**63:
        raise ValueError(f"{str(data)[:40]!r} for a whole number")
    return data


def number(data: Any) -> Any:
    if data in _INFINITE or (isinstance(data, int | float) and not isinstance(data, bool)):
        return data
    raise ValueError(f"{str(data)[:40]!r} for a number")


def flag(data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"{str(data)[:40]!r} for true or false")
    return data


def name(data: Any) -> str:
    if not isinstance(data, str) or len(data) > 300 or not data.isascii():
        raise ValueError(f"{str(data)[:40]!r} for a name")
    if not data.isidentifier() or keyword.iskeyword(data):
        raise ValueError(f"{data[:40]!r} for a name")
    return data


def weight_name(data: Any) -> str:
    if not isinstance(data, str) or len(data) > 1000 or not _DOTTED.fullmatch(data):
        raise ValueError(f"{str(data)[:40]!r} for the name of a weight")
    return data


def word(data: Any) -> str:
    if not isinstance(data, str) or not re.fullmatch(r"[\x20-\x7e]{0,200}", data):
        raise ValueError(f"{str(data)[:40]!r} for a word")
    return data


def any_value(data: Any) -> Any:
    return True


def refuse(what: str) -> Check:
    def check(data: Any) -> Any:
        raise ValueError(what)

    return check


def drop_field(data: Any) -> Any:
    raise AssertionError("a dropped field is never checked")
