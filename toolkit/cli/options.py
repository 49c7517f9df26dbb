"""The values of options: NAME=VALUE, sizes, times, counts, names, axes."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.errors import BadInput, UnknownOption

#: What verbs give to a pipeline, and no user types.
_INTERNAL = ("progress", "stream", "cancel", "rate", "sample", "samples", "self")
#: Flags of `run` that are options of some pipelines, and what any other does not do.
_FLAGS = {
    "out": "writes no file",
    "schema": "keeps to no schema",
    "words": "gives no times of words",
    "vad": "looks for no speech",
}

#: Units of sizes as they are shown, and as chip makers write them.
_DECIMAL = {"": 1, "B": 1, "k": 1e3, "kB": 1e3, "KB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9}
_BINARY: dict[str, int] = {"": 1, "b": 1} | {
    letter + rest: 1024**power for power, letter in enumerate("kmg", 1) for rest in ("", "b", "ib")
}


def option(text: str) -> tuple[str, Any]:
    """Name and value of ``name=value``; the value is read as JSON if it is JSON ("true", "5", "[0]"), else as text."""
    from edgekit.common.documents import parse_json

    name, value = pair(text)
    try:
        return name, parse_json(value, name)
    except BadInput:
        return name, value


def of_run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a pipeline in a command line of `run`. Raises BadInput for one that programs alone give."""
    options = dict(option(text) for text in arguments.option)
    for name in _INTERNAL:
        if name in options:
            raise BadInput(f"there is no option {name!r}.", hint=f"Leave -o {name} out.")
    return options | _flags(arguments)


@contextlib.contextmanager
def flags_named(arguments: argparse.Namespace) -> Iterator[None]:
    """Where a pipeline does not know an option that a flag of `run` gave, name the flag: the user typed no option."""
    try:
        yield
    except UnknownOption as exc:
        if exc.name not in _flags(arguments):
            raise
        typed = f"--no-{exc.name}" if getattr(arguments, exc.name) is False else f"--{exc.name}"
        raise BadInput(f"this model {_FLAGS[exc.name]}.", hint=f"Leave {typed} out.") from exc


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that were given; `--no-vad` is one, too."""
    given = {name: getattr(arguments, name) for name in _FLAGS}
    return {name: value for name, value in given.items() if value or (name == "vad" and value is not None)}


def pair(text: str) -> tuple[str, str]:
    """Name and value of ``name=value``, as text. Raises BadInput for another form."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput(f"an option has the form NAME=VALUE, not {text!r}.")
    return name, value


def axis(text: str) -> tuple[str, tuple[int, int]]:
    """Name and bounds of a dynamic axis, ``tokens=1..256``."""
    match = re.fullmatch(r"([A-Za-z_][\w.]*)=(\d{1,9})\.\.(\d{1,9})", text.strip())
    if match is None or not 1 <= int(match[2]) <= int(match[3]):
        raise argparse.ArgumentTypeError(f"{text!r} is not an axis with its bounds, such as tokens=1..256")
    return match[1], (int(match[2]), int(match[3]))


def names(text: str) -> list[str]:
    """The names of a list such as a,b."""
    values = [name.strip() for name in text.split(",")]
    if not all(values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names such as a,b")
    return values


def counts(text: str) -> list[int]:
    """Whole numbers from 1 on, such as 1,2."""
    return [count(name) for name in text.split(",")]


def lengths(text: str) -> list[int]:
    """As `counts`; none for 0."""
    return [] if text.strip() == "0" else counts(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def _quantity(text: str, units: Mapping[str, float], example: str) -> float:
    """A number above 0 with one of `units`, in the unit that is 1."""
    match = re.fullmatch(r"([0-9.]+)\s*([A-Za-z%]*)", text.strip())
    try:
        value = float(match[1]) * units[match[2]] if match else 0.0
    except (ValueError, KeyError):
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not {example}")
    return value


def decimal(text: str) -> int:
    """Bytes of a size in decimal units, as sizes are shown: 60MB is 60,000,000 bytes."""
    return round(_quantity(text, _DECIMAL, "a size such as 60MB, 800kB or 1.5GB"))


def share(text: str) -> float:
    """A share from 0 to 1, such as 95% or 0.95."""
    value = _quantity(text, {"%": 0.01, "": 1.0}, "a share such as 95% or 0.95")
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is more than all")
    return value


def seconds(text: str) -> float:
    """Seconds of a time such as 200ms or 1.5s."""
    return _quantity(text, {"ms": 1e-3, "s": 1.0}, "a time such as 200ms or 1.5s")


def size(text: str) -> int:
    """Bytes of a size in binary units, as chip makers write them: 256KB is 256 * 1024 bytes."""
    number = text.rstrip("BbIiKkMmGg")
    try:
        value = round(float(number) * _BINARY[text[len(number) :].lower()])
    except (ValueError, KeyError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 2GB, 1MB, 256KB or 65536") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} holds nothing; give a size such as 1MB or 256KB")
    return value
