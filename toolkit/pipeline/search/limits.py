"""What the result of a search may cost, and how a measured recipe meets it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from edgekit.common.figures import figure
from edgekit.core import Recipe
from edgekit.errors import BadInput, GateFailed, OverBudget
from edgekit.gate.frontier import Point

#: Time after which a search begins no further trial.
MINUTES = 20.0
#: The end of the reason of a recipe that is not tried, as its estimated size is beyond the limit.
TOO_LARGE = "which is too large"
#: The share of a limit of size that is filled by estimates.
_FILLED = 0.995
#: What the reason of a point that is too slow begins with.
_LATENCY = "latency"


@dataclass(frozen=True)
class Limits:
    """The user's limits; None: no limit.

    Attributes:
        size: bytes. latency: seconds of the answer to the golden input, on this machine.
        loss: in the unit of the task's loss (see `edgekit.gate.judges.Judge.loss`). minutes: of the whole search.
    """

    size: int | None = None
    latency: float | None = None
    loss: float | None = None
    minutes: float = MINUTES

    def check(self) -> None:
        """Raise BadInput for a limit that is not above 0, or not finite."""
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf and not (name == "loss" and value == 0):
                raise BadInput(f"a limit of {value:g} for {name} makes no sense.", hint="Give a number above 0.")

    @property
    def spends(self) -> bool:
        """Whether the size is a budget to spend: with no limit of the loss, the least loss within it is wanted."""
        return self.size is not None and self.loss is None

    @property
    def size_budget(self) -> int | None:
        """Bytes that the estimate of a recipe may have, where the limit of size is filled; None: no limit."""
        return None if self.size is None else int(_FILLED * self.size)

    @property
    def limits_text(self) -> str:
        """The limits as text; "" without any."""
        limits = [
            f"a size of at most {figure(self.size, 'B')}" if self.size is not None else "",
            f"a latency of at most {figure(self.latency, 's')}" if self.latency is not None else "",
            f"a loss of at most {self.loss:g}" if self.loss is not None else "",
        ]
        return ", ".join(limit for limit in limits if limit)

    def judge_point(self, point: Point) -> Point:
        """`point`; failed, with the reason, where it exceeds a limit or lacks the figure that a limit is about."""
        if point.verdict not in ("pass", "undecided"):
            return point
        for what, value, most, unit in self._comparisons(point):
            if most is None:
                continue
            if value is None:
                return replace(point, verdict="fail", reason=f"its {what} was not measured")
            if value > most:
                shown = f"{value:.4g} is above {most:g}"
                return replace(
                    point,
                    verdict="fail",
                    reason=f"{what}: " + (f"{figure(value, unit)} is above {figure(most, unit)}" if unit else shown),
                )
        return point

    def excess(self, point: Point) -> float:
        """By what factor a measured point exceeds its worst limit; infinite where a figure is missing."""
        ratios = [
            math.inf if value is None else value / most if most else (math.inf if value else 0.0)
            for _, value, most, _ in self._comparisons(point)
            if most is not None
        ]
        return max(ratios, default=math.inf)

    def _comparisons(self, point: Point) -> list[tuple[str, float | None, float | None, str]]:
        """Name, measured value, limit and unit of each."""
        loss = point.loss.value if point.loss is not None else None
        return [
            ("size", point.size, self.size, "B"),
            (_LATENCY, point.seconds, self.latency, "s"),
            ("loss", loss, self.loss, ""),
        ]


def slow(point: Point) -> bool:
    """Whether a point fails for its latency, as `Limits.judge_point` tells it."""
    return point.verdict == "fail" and point.reason.startswith(_LATENCY) and point.seconds is not None


def limits_of(precision: str | None, limits: Limits | None) -> Limits | None:
    """The limits of the search; None where none was asked for. Raises BadInput for limits beside another precision."""
    if limits is None:
        return Limits() if precision == "auto" else None
    if precision not in (None, "auto"):
        raise BadInput(
            f"limits are for a search, and the precision {precision} leaves nothing to search for.",
            hint="Use --precision auto, or leave --precision out.",
        )
    limits.check()
    return limits


def choose_point(points: Sequence[Point], limits: Limits, recipes: Mapping[str, Recipe]) -> Point:
    """The smallest point that passed, of equal ones that with the least loss. Where a size is to be spent, that with
    the least loss; of equal ones the smallest of those with all their bits, and without such that with the most bits.

    Args:
        recipes: name -> recipe, of all points.

    Raises:
        OverBudget: none is within the limits; the message names the nearest. GateFailed: none passes the gate.
    """
    passed = [point for point in points if point.verdict == "pass" and point.size is not None]

    def small(point: Point) -> tuple[float, ...]:
        return point.size or 0, _loss(point)

    def near(point: Point) -> tuple[float, ...]:
        # A share of answers is a coarse measure: where none differs, fewer bits are further from fp32 all the same.
        fewer = "bits" in recipes[point.recipe].options
        return _loss(point), fewer, -(point.size or 0) if fewer else point.size or 0

    if passed:
        return min(passed, key=near if limits.spends else small)
    tried = "".join(f"\n  {point.recipe}: {point.verdict}: {point.reason}" for point in points)
    measured = [point for point in points if point.size is not None and math.isfinite(limits.excess(point))]
    if points and all(point.reason.endswith(TOO_LARGE) for point in points):
        raise OverBudget(
            f"no recipe has {limits.limits_text}. The smallest is {points[0].recipe}: {points[0].reason}.",
            hint="Raise the limit of the size.",
        )
    if not measured:
        raise GateFailed(f"no recipe passes:{tried}", hint="Allow a greater loss, or name a --precision.")
    nearest = min(measured, key=limits.excess)
    facts = [figure(nearest.size, "B"), nearest.pace, f"a loss of {nearest.loss}" if nearest.loss else ""]
    raise OverBudget(
        f"no recipe that was tried has {limits.limits_text}. The nearest is {nearest.recipe}: "
        f"{', '.join(fact for fact in facts if fact not in ('', '-'))}.{tried}",
        hint="Raise the limit that it exceeds; what was measured is kept, so the next search takes seconds.",
    )


def _loss(point: Point) -> float:
    return point.loss.value if point.loss is not None else 0.0
