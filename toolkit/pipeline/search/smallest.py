"""The smallest recipe that is good enough: recipes are tried, here or on a pool, the smallest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgekit.gate import frontier_plot
from edgekit.gate.frontier import Point
from edgekit.pipeline.job import Run
from edgekit.pipeline.search.journal import Journal, journal_of
from edgekit.pipeline.search.limits import Limits, choose_point
from edgekit.pipeline.search.pooled import tried_on_pool
from edgekit.pipeline.search.pruning import Search
from edgekit.pipeline.search.trials import key_of_trials, measure_recipe
from edgekit.pipeline.tracing import Reference


def smallest(run: Run, reference: Reference, limits: Limits) -> Run:
    """`run` with the smallest recipe that passes the gate within `limits`. All that was measured stays in the bundle.

    Raises:
        OverBudget, GateFailed: see `chosen`. DeviceFailed: see `tried_on_pool`.
    """
    journal = Journal(journal_of(run.place), key_of_trials(run))
    if journal.file.exists() and (count := len(journal)):
        known = "1 recipe" if count == 1 else f"{count} recipes"
        run.tell(f"going on with {known} that {journal.file} has measured", 0, 0)
    search = Search(run, limits, run.job.recipes_to_try(limits.size_budget), limits.size_budget)
    points = _try_recipes(search, reference, journal)
    if (refined := search.fill_size_limit(points)) is not None:
        search = refined
        points = _try_recipes(search, reference, journal)
    if (hurried := search.add_faster_recipes(points)) is not None:
        search = hurried
        points = _try_recipes(search, reference, journal)
    best = choose_point(points, limits, search.recipes)
    frontier_plot.write(points, best.recipe, run.stage)
    tried = sum(point.size is not None for point in points) - 1
    return replace(run, job=replace(run.job, recipe=search.recipes[best.recipe]), tried=tried, compared=tried)


def _try_recipes(search: Search, reference: Reference, journal: Journal) -> list[Point]:
    """A point for every recipe; what `journal` knows is not tried again."""
    earlier, asked = journal.points, search.run.job.asked
    if asked.workers:
        pooled = tried_on_pool(search, reference, journal, asked)
        return _collect_points(search, earlier, lambda name: pooled.get(name) or search.late(name))
    return _collect_points(search, earlier, lambda name: _tried_here(search, reference, journal, name))


def _collect_points(search: Search, earlier: Mapping[str, Point], trial: Callable[[str], Point]) -> list[Point]:
    """A point for every recipe: of an earlier search, or of a `trial`, if it can win."""
    points: list[Point] = []
    for name in search.recipes:
        point = earlier.get(name)
        if point is None:
            why = search.hopeless(name, points)
            point = Point(name, "not tried", why) if why else trial(name)
        points.append(search.limits.judge_point(point))
    return points


def _tried_here(search: Search, reference: Reference, journal: Journal, name: str) -> Point:
    order = list(search.recipes)
    search.run.tell(f"trying {name}", order.index(name), len(order))
    if search.over:
        return search.late(name)
    journal.add(point := measure_recipe(search.run, reference, name, search.recipes[name]))
    return point
