"""The frontier of a language model: what each precision costs in bytes, and what it loses, as a table and as a picture.

Speeds are single short values, to tell types apart on the machine that made the bundle; `edgekit bench` measures.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from edgekit import texts
from edgekit.bundle import usable_processors
from edgekit.core import Evaluation, Progress, Recipe
from edgekit.errors import BadInput, ExportFailed, GateFailed, ParityFailed
from edgekit.manifest import Verdict
from edgekit.registry import find

__all__ = ["NAME", "Point", "load", "measure", "plot", "rows", "smallest", "write"]

NAME = "frontier.json"
_PLOT = "frontier.svg"
_TOKENS = 32


@dataclass(frozen=True)
class Point:
    """One precision. None: not measured, and `reason` says why.

    Attributes:
        size: bytes of the file. speed: generated tokens/s here. kld, low, high: mean KL divergence (nats a token) and
            its 95 % interval. perplexity: of the text. same_top: fraction of tokens with the same likeliest one.
        verdict: of the gate.
    """

    precision: str
    verdict: str
    reason: str
    size: int | None = None
    speed: float | None = None
    kld: float | None = None
    low: float | None = None
    high: float | None = None
    perplexity: float | None = None
    same_top: float | None = None


def measure(
    recipe: Recipe, attempt: Callable[[Recipe], tuple[Path, Verdict]], evaluation: Evaluation, tell: Progress
) -> Point:
    """Try one recipe.

    Args:
        attempt: makes the artefact and measures it, whatever it loses: its file, and the numbers of its verdict.
    """
    try:
        file, measured = attempt(recipe)
    except (ParityFailed, GateFailed, ExportFailed, BadInput) as exc:  # a type may need what was not given
        return Point(recipe.precision, "fail", exc.message)
    tell(f"speed of {recipe.precision}", 0, 0)
    runner: Any = find("exporters", recipe.exporter).load(file, usable_processors())
    speed = median(runner.speed(generate=_TOKENS) for _ in range(3))
    verdict = texts.decided(evaluation, measured)
    return Point(
        recipe.precision,
        verdict.verdict,
        verdict.reason,
        file.stat().st_size,
        speed,
        verdict.drop,
        verdict.low,
        verdict.high,
        verdict.value,
        verdict.others["same likeliest token"].value,
    )


def smallest(points: Sequence[Point], evaluation: Evaluation) -> str:
    """The precision of the smallest file that passed.

    Raises:
        GateFailed: none did; the message has what was found of each.
    """
    passed = [(point.size, point.precision) for point in points if point.verdict == "pass" and point.size is not None]
    if passed:
        return min(passed)[1]
    found = "".join(
        f"\n  {point.precision}: {point.verdict}"
        + (f", KL divergence {point.kld:.4f}" if point.kld is not None else "")
        for point in points
    )
    raise GateFailed(
        f"no precision passes with a KL divergence of at most {evaluation.drop:g} nats a token:{found}",
        hint="Allow more (--max-kld), give more text (--data), or choose one: --precision q8_0",
    )


def write(points: Sequence[Point], chosen: str, folder: Path) -> None:
    """Leave the frontier in a bundle's folder, as JSON and as a picture."""
    facts = {"chosen": chosen, "points": [asdict(point) for point in points]}
    (folder / NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / _PLOT).write_text(plot(points, chosen), encoding="utf-8")


def load(folder: Path) -> tuple[str, list[Point]] | None:
    """What `write` left in a bundle; None where it left nothing. Raises BadInput for something else under its name."""
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        facts = msgspec.json.decode(file.read_bytes())
        return str(facts["chosen"]), msgspec.convert(facts["points"], list[Point])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as exc:
        raise BadInput(f"{file} is no frontier of edgekit's: {exc}.") from exc


def rows(points: Sequence[Point], chosen: str) -> list[list[str]]:
    """Cells for a table: precision, size, tokens/s, divergence with its interval, perplexity, same token, verdict."""
    return [
        [
            point.precision + (" (chosen)" if point.precision == chosen else ""),
            "-" if point.size is None else f"{point.size / 1e6:.1f} MB",
            "-" if point.speed is None else f"{point.speed:.0f}",
            "-" if point.kld is None else f"{point.kld:.4f} ({point.low:.4f} to {point.high:.4f})",
            "-" if point.perplexity is None else f"{point.perplexity:.2f}",
            "-" if point.same_top is None else f"{point.same_top:.1%}",
            point.verdict if point.kld is not None else f"{point.verdict}: {point.reason}",
        ]
        for point in points
    ]


def plot(points: Sequence[Point], chosen: str) -> str:
    """An SVG: megabytes across, divergence up on a logarithmic axis, intervals as bars."""
    known = [p for p in points if p.size is not None and p.kld is not None and p.kld > 0]
    wide, high, left, bottom = 640, 400, 70, 50
    body = [f'<rect width="{wide}" height="{high}" fill="white"/>']
    if known:
        sizes = [p.size / 1e6 for p in known if p.size is not None]
        least, most = min(sizes) * 0.9, max(sizes) * 1.1
        floor = math.floor(math.log10(min(p.kld for p in known if p.kld)))
        top = math.ceil(math.log10(max(p.high or 1e-9 for p in known)) + 1e-9)

        def across(size: float) -> float:
            return left + (size - least) / (most - least) * (wide - left - 90)

        def up(value: float) -> float:
            exponent = max(floor, math.log10(max(value, 1e-12)))
            return high - bottom - (exponent - floor) / max(1, top - floor) * (high - bottom - 40)

        for power in range(floor, top + 1):
            y = up(10.0**power)
            body.append(f'<path d="M{left} {y:.1f}H{wide - 20}" stroke="#ddd"/>')
            body.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
        for point in known:
            x, y = across((point.size or 0) / 1e6), up(point.kld or 0)
            colour = {"pass": "#1a7f37", "undecided": "#9a6700"}.get(point.verdict, "#cf222e")
            ends = f"M{x:.1f} {up(point.low or 0):.1f}V{up(point.high or 0):.1f}"
            body.append(f'<path d="{ends}" stroke="{colour}"/>')
            body.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{6 if point.precision == chosen else 4}" fill="{colour}"/>'
            )
            name = html.escape(f"{point.precision}, {(point.size or 0) / 1e6:.0f} MB")
            weight = ' font-weight="bold"' if point.precision == chosen else ""
            body.append(f'<text x="{x + 8:.1f}" y="{y - 5:.1f}"{weight}>{name}</text>')
    body.append(f'<text x="{(wide + left) / 2}" y="{high - 14}" text-anchor="middle">size of the file, MB</text>')
    body.append('<text x="12" y="22">KL divergence from the reference, nats a token (bars: 95 %)</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        f'font-family="sans-serif" font-size="12">{"".join(body)}</svg>\n'
    )
