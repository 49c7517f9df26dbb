"""Figures as text: a value with its unit; and texts from outside, made safe for a terminal."""

from __future__ import annotations

from typing import Any

import msgspec

NOT_MEASURED = "not measured"

_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "B/s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "parameters": ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, "")),
    "instructions": ((1e6, "M instructions"), (1e3, "k instructions"), (1.0, "instructions")),
    "cycles": ((1e6, "M cycles"), (1e3, "k cycles"), (1.0, "cycles")),
}


def figure(value: float | None, unit: str) -> str:
    """A value with three significant digits and a unit that suits it (12.3 ms, 52.1 MB); None is "not measured"."""
    if value is None:
        return NOT_MEASURED
    scales = _SCALES.get(unit)
    if scales is None:
        return f"{value:.3g}" if unit == "1" else f"{_digits(value)} {printable(unit)}"
    # A value that would round to 1000 of a unit is shown as 1 of the next unit.
    factor, name = next((scale for scale in scales if value >= 0.9995 * scale[0]), scales[-1])
    return f"{_digits(value / factor)} {name}".rstrip()


def count(number: int, noun: str) -> str:
    """A number of things, of which `noun` names one: 1 sample, 3 samples."""
    return f"{number} {noun}" + "s" * (number != 1)


def too_few(number: int, noun: str) -> str:
    """That so many things are too few."""
    return f"{count(number, noun)} {'is' if number == 1 else 'are'} too few"


def printable(value: Any) -> str:
    """A value from a report as a line that is safe on a terminal: control characters (ANSI escapes) are replaced."""
    text = NOT_MEASURED if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _digits(value: float) -> str:
    return f"{value:.0f}" if 99.95 <= value < 1e6 else f"{value:.3g}"
