"""The frontier of a language model: size and loss of each precision, as a table and as a picture.

Speeds are single short values, to tell types apart on the machine that made the bundle; `edgekit bench` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from edgekit.bundles.manifest import Verdict
from edgekit.common.processors import usable_processors
from edgekit.core import Evaluation, Progress, Recipe
from edgekit.errors import BadInput, ExportFailed, GateFailed, ParityFailed
from edgekit.gate import texts
from edgekit.registry import find

__all__ = ["NAME", "Point", "load", "measure", "rows", "smallest"]

NAME = "frontier.json"
_TOKENS = 32


@dataclass(frozen=True)
class Point:
    """One precision. None: not measured, and `reason` says why.

    Attributes:
        size: bytes of the file. speed: generated tokens/s here. kld, low, high: mean KL divergence (nats a token) and
            its 95 % interval. perplexity: of the text. same_top: fraction of positions with the same likeliest token.
        verdict: of the gate. allowed: the largest mean KL divergence that passes.
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
    allowed: float | None = None

    @property
    def told(self) -> str:
        """The verdict with the numbers that decide it, short enough for a table."""
        if None in (self.kld, self.high, self.allowed) or self.verdict == "pass":
            return self.verdict if self.kld is not None else f"{self.verdict}: {self.reason}"
        assert self.kld is not None and self.high is not None and self.allowed is not None
        if self.kld > self.allowed:
            return f"{self.verdict}: {self.kld:.4f} is above {self.allowed:g}"
        if self.high > self.allowed:
            return f"{self.verdict}: the interval reaches above {self.allowed:g}"
        return f"{self.verdict}: {self.reason}"


def measure(
    recipe: Recipe, attempt: Callable[[Recipe], tuple[Path, Verdict]], evaluation: Evaluation, tell: Progress
) -> Point:
    """Make and measure the artefact of a recipe.

    Args:
        attempt: recipe -> the artefact's file, and a verdict with its measured values, whatever they are.
    """
    try:
        file, measured = attempt(recipe)
    except (ParityFailed, GateFailed, ExportFailed, BadInput) as exc:  # some types need calibration text
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
        evaluation.drop,
    )


def smallest(points: Sequence[Point], evaluation: Evaluation) -> str:
    """The precision of the smallest file that passed.

    Raises:
        GateFailed: none did; the message has the verdict of each.
    """
    passed = [(point.size, point.precision) for point in points if point.verdict == "pass" and point.size is not None]
    if passed:
        return min(passed)[1]
    verdicts = "".join(
        f"\n  {point.precision}: {point.verdict}"
        + (f", KL divergence {point.kld:z.4f}" if point.kld is not None else "")
        for point in points
    )
    raise GateFailed(
        f"no precision passes with a KL divergence of at most {evaluation.drop:g} nats a token:{verdicts}",
        hint="Allow more (--max-kld), add text (--data), or choose a precision: --precision q8_0",
    )


def load(folder: Path) -> tuple[str, list[Point]] | None:
    """The chosen precision and the points that `write` left in a bundle; None without a frontier. Raises BadInput."""
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        facts = msgspec.json.decode(file.read_bytes())
        points = msgspec.convert(facts["points"], list[Point])
        if any(len({value is None for value in (point.kld, point.low, point.high)}) > 1 for point in points):
            raise TypeError("a divergence without its interval")
        return str(facts["chosen"]), points
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as exc:
        raise BadInput(f"{file} is no frontier of edgekit's: {exc}.") from exc


def rows(points: Sequence[Point], chosen: str) -> list[list[str]]:
    """Cells for a table: precision, size, tokens/s, divergence with its interval, perplexity, same token, verdict."""
    return [
        [
            point.precision + (" (chosen)" if point.precision == chosen else ""),
            "-" if point.size is None else f"{point.size / 1e6:.1f} MB",
            "-" if point.speed is None else f"{point.speed:.0f}",
            "-" if point.kld is None else f"{point.kld:z.4f} ({point.low:z.4f} to {point.high:z.4f})",
            "-" if point.perplexity is None else f"{point.perplexity:.2f}",
            "-" if point.same_top is None else f"{point.same_top:.1%}",
            point.told,
        ]
        for point in points
    ]
