"""The recipes of a search, and which of them need not be tried."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgekit.common.figures import figure
from edgekit.core import Recipe
from edgekit.gate.frontier import Point
from edgekit.pipeline.job import Run
from edgekit.pipeline.search.limits import TOO_LARGE, Limits, slow

#: A recipe whose estimated size is larger by this factor than that of one that passed cannot win; nor can one that
#: computes the same as one that takes longer by it than the limit.
_SURELY = 1.2
#: The share of a limit of size that is filled where an estimate is corrected. The rest is for the bundle's texts.
_FILLED = 0.997


@dataclass(frozen=True)
class Search:
    """A search under way.

    Attributes:
        recipes: name -> recipe, in the order in which they are tried. size: bytes that they may have by their
            estimates; None: no limit. faster: names of those that take less and less time, and lose more and more.
            began: by `time.monotonic`.
    """

    run: Run
    limits: Limits
    recipes: Mapping[str, Recipe]
    size: int | None = None
    faster: frozenset[str] = frozenset()
    began: float = field(default_factory=time.monotonic)

    def hopeless(self, name: str, points: Iterable[Point]) -> str:
        """Why the recipe `name` cannot be chosen, by its estimated size, and by earlier recipes: by the sizes of those
        that passed, and by the times of those that compute the same; "" if it may be. Later recipes do not count, so
        the answer is the same whatever is measured first."""
        estimate, order = self.run.job.model.costs.size, list(self.recipes)
        size = estimate(self.recipes[name])
        earlier = order[: order.index(name)]
        points = [point for point in points if point.recipe in earlier]
        passed = [self.recipes[point.recipe] for point in points if point.verdict == "pass"]
        if passed and not self.limits.spends and size > _SURELY * min(map(estimate, passed)):
            return f"about {figure(size, 'B')}, and a smaller recipe passes"
        if self.limits.size is not None and size > _SURELY * self.limits.size:
            return f"about {figure(size, 'B')}, {TOO_LARGE}"
        if passed and name in self.faster:
            return "a recipe that loses less is fast enough"
        return self._too_slow(name, points)

    def _too_slow(self, name: str, points: Iterable[Point]) -> str:
        """Which of `points` computes the same as the recipe `name`, and takes too long; "" if none does."""
        for point in points:
            late = self.limits.latency is not None and (point.seconds or 0) > _SURELY * self.limits.latency
            if late and self._recipe_without_bits(point.recipe) == self._recipe_without_bits(name):
                return f"computed as {point.recipe}, which takes {figure(point.seconds, 's')}"
        return ""

    def _recipe_without_bits(self, name: str) -> Recipe:
        """A recipe without the bits that its weights have in a packed file: opened, all have 8."""
        recipe = self.recipes[name]
        return replace(recipe, options={key: value for key, value in recipe.options.items() if key != "bits"})

    def fill_size_limit(self, points: Iterable[Point]) -> Search | None:
        """This search with the recipe that fills the limit of size, by what was measured of the one with most bits.

        Sizes of recipes with fewer bits are estimates. They are corrected by the line through the last two that were
        measured; by a factor, where there is one. None where there is nothing to correct.
        """
        sizes = {point.recipe: point.size for point in points if point.size}
        narrow = [name for name, recipe in self.recipes.items() if "bits" in recipe.options and name in sizes]
        if not narrow or self.limits.size is None or not self.limits.spends:
            return None
        known = [(self.run.job.model.costs.size(self.recipes[name]), sizes[name]) for name in narrow[-2:]]
        (low, small), (high, large) = known if len(known) == 2 and known[0][1] < known[1][1] else ((0, 0), known[-1])
        size = int(high + (_FILLED * self.limits.size - large) * (high - low) / (large - small))
        offered = self.run.job.recipes_to_try(size)
        added = {name: recipe for name, recipe in offered.items() if name not in self.recipes}
        return replace(self, size=size, recipes={**self.recipes, **added}) if added else None

    def add_faster_recipes(self, points: Sequence[Point]) -> Search | None:
        """This search with recipes that take less time and lose more; None where none is needed, or there are none.

        They are needed where nothing passes, and something is too slow.

        Args:
            points: of all recipes, as the limits judge them.
        """
        if any(point.verdict == "pass" for point in points) or not any(map(slow, points)):
            return None
        offered = self.run.job.recipes_to_try(self.size, hurried=True)
        added = {name: recipe for name, recipe in offered.items() if name not in self.recipes}
        return replace(self, recipes={**self.recipes, **added}, faster=frozenset(added)) if added else None

    @property
    def over(self) -> bool:
        """Whether no further trial may begin."""
        return time.monotonic() - self.began > 60 * self.limits.minutes

    def late(self, name: str) -> Point:
        """The point of a recipe for which there was no time."""
        return Point(name, "not tried", f"the {self.limits.minutes:g} minutes are over")
