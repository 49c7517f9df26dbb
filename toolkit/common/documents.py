"""JSON from outside: limits on size, depth and numbers, and one error for whatever breaks them.

Python's own reader ends in RecursionError for deep nesting, gives infinity for ``1e999``, and takes keys that are there
twice. Who works with what was read here meets none of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from edgekit.common.files import need_file
from edgekit.errors import BadInput

#: Most bytes of a file; most lists and tables within each other; most characters of a number.
MOST, _DEEPEST, _LONGEST = 64 << 20, 200, 64
#: A half of a pair of UTF-16: alone it is no letter, and nothing can print it.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(path: Path, most: int = MOST, kind: Any = None, hint: str = "") -> Any:
    """The content of a JSON file from outside. See `parse_json`.

    Raises:
        BadInput: no plain file, more than `most` bytes, or as `parse_json`.
    """
    need_file(path)
    if (size := path.stat().st_size) > most:
        raise BadInput(f"{path.name} has {size} bytes; at most {most} are read.", hint=hint)
    return parse_json(path.read_bytes(), path.name, kind, hint)


def parse_json(data: bytes | str, what: str, kind: Any = None, hint: str = "") -> Any:
    """What JSON from outside says: numbers are finite, and nothing is nested deeply.

    Args:
        what: its name, for the error. kind: the type that it must have, as msgspec takes it; None: any. What the type
            does not name is then passed over, unread, so that large files need little memory. hint: what to do about
            the error.

    Raises:
        BadInput: it is no JSON, not of this type, nested more than 200 deep, or has a number that is not finite.
            Without a `kind` also: a number longer than 64 characters, a key twice, half a letter.
    """
    try:
        if kind is not None:
            return msgspec.json.decode(data, type=kind)
        value = json.loads(data, **_HOOKS)
        _check_depth(value)
        if _HALF.search(data.encode() if isinstance(data, str) else data):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as exc:
        raise BadInput(f"{what} is not JSON that can be read: {_reason(exc)}.", hint=hint) from exc


def read_table(path: Path, most: int = MOST, hint: str = "") -> dict[str, Any]:
    """The content of a JSON file that is an object. Raises BadInput, as `read_json`, and for anything else."""
    value = read_json(path, most, hint=hint)
    if not isinstance(value, dict):
        raise BadInput(f"{path.name} holds no JSON object.", hint=hint)
    return value


def _finite(text: str) -> float:
    value = float(_short(text))
    return value if math.isfinite(value) else _no_number(text)


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"a number of {len(text)} characters")
    return text


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")


def _table(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in table if keys.count(key) > 1)!r} is there twice")
    return table


_HOOKS: dict[str, Any] = {
    "parse_int": lambda text: int(_short(text)),
    "parse_float": _finite,
    "parse_constant": _no_number,
    "object_pairs_hook": _table,
}


def _check_depth(value: Any) -> None:
    level: list[Any] = [[value]]  # the value itself need not hold any
    for _ in range(_DEEPEST + 1):
        inner = (holder.values() if isinstance(holder, dict) else holder for holder in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise RecursionError


def _reason(exc: Exception) -> str:
    if isinstance(exc, RecursionError):
        return f"it is nested more than {_DEEPEST} deep"
    if isinstance(exc, UnicodeError):
        return "it is no text in UTF-8"
    return str(exc)
