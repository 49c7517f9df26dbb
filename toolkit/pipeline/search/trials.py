"""Trying recipes: each is exported, proven and measured in a folder of its own, which is then removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekit.common.figures import figure
from edgekit.common.processors import usable_processors
from edgekit.core import Recipe
from edgekit.errors import BadInput, ExportFailed, GateFailed, ParityFailed, Unsupported
from edgekit.gate import frontier_plot
from edgekit.gate.frontier import Point
from edgekit.pipeline.evidence import Samples
from edgekit.pipeline.job import Run
from edgekit.pipeline.proving import prove
from edgekit.pipeline.reuse import key_of
from edgekit.pipeline.search.journal import Journal
from edgekit.pipeline.search.limits import Limits, chosen
from edgekit.pipeline.tracing import Reference

__all__ = ["smallest"]

#: A recipe whose estimated size is larger by this factor than that of one that passed cannot win.
_SURELY = 1.2


def smallest(run: Run, reference: Reference, limits: Limits) -> Run:
    """`run` with the smallest recipe that passes the gate within `limits`. All that was measured stays in the bundle.

    Raises:
        OverBudget, GateFailed: see `chosen`.
    """
    journal = Journal(run.place.with_name(f"{run.place.name}.search.json"), _key(run))
    if journal.file.exists() and len(journal):
        run.tell(f"going on with the {len(journal)} recipes that {journal.file} has measured", 0, 0)
    found = run.job.offered()
    points = _tried(run, reference, limits, journal, found)
    best = chosen(points, limits)
    frontier_plot.write(points, best.recipe, run.stage)
    journal.close()
    return replace(run, job=replace(run.job, recipe=found[best.recipe]))


def _key(run: Run) -> str:
    """Of all that decides what a trial measures, so not of the limits."""
    return key_of(replace(run.job, limits=None), run.checkpoint.path)


def _tried(
    run: Run, reference: Reference, limits: Limits, journal: Journal, found: Mapping[str, Recipe]
) -> list[Point]:
    """A point for every recipe, judged by `limits`."""
    began = time.monotonic()
    points: list[Point] = []
    for i, (name, recipe) in enumerate(found.items()):
        run.tell(f"trying {name}", i, len(found))
        point = journal.of(name)
        if point is None:
            late = time.monotonic() - began > 60 * limits.minutes
            passed = [found[other.recipe] for other in points if other.verdict == "pass"]
            why = f"the {limits.minutes:g} minutes are over" if late else _hopeless(run, recipe, passed, limits)
            if why:
                points.append(Point(name, "not tried", why))
                continue
            journal.add(point := _measured(run, reference, name, recipe))
        points.append(limits.judged(point))
    return points


def _hopeless(run: Run, recipe: Recipe, passed: Sequence[Recipe], limits: Limits) -> str:
    """Why `recipe` cannot be the smallest, by the estimates of its size and of those that passed; "" if it may be."""
    estimate = run.job.model.costs.size
    size = estimate(recipe)
    if passed and size > _SURELY * min(map(estimate, passed)):
        return f"about {figure(size, 'B')}, and a smaller recipe passes"
    if limits.size is not None and size > _SURELY * limits.size:
        return f"about {figure(size, 'B')}, which is too large"
    return ""


def _measured(run: Run, reference: Reference, name: str, recipe: Recipe) -> Point:
    """`recipe`, made and measured; with the reason, if it was refused."""
    job, place = run.job, run.work / "trial"
    shutil.copytree(run.stage, place)
    shipped = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    trial = replace(run, job=replace(job, model=job.judge.lenient(job.model)), stage=place)
    if job.judge.searches:  # the text decides, and every recipe is measured on it
        reference = replace(reference, samples=Samples(absent="a trial of the search"))
    try:
        made = prove(trial, reference, recipe)
        runners = {a.part: job.exporter.load(place / a.file, usable_processors()) for a in made.artifacts}
        predictor = trial.predictor(runners, made.facts)
        run.tell(f"speed of {name}", 0, 0)
        pace = job.judge.pace(runners, lambda: predictor.predict(place / run.golden_input))
        verdict, loss = job.judge.loss(job.model, made.verdict, made.agreement)
        files = {path for a in made.artifacts for path in (place / a.file, *(place / a.file).rglob("*"))}
        size = sum(path.stat().st_size for path in files if path.is_file()) + shipped
        figures = {**{other: score.value for other, score in verdict.others.items()}, **made.agreement.figures}
        return Point(name, verdict.verdict, verdict.reason, size, loss=loss, figures=figures, **pace)
    except (ParityFailed, GateFailed, ExportFailed, BadInput, Unsupported) as exc:  # some need calibration text
        return Point(name, "fail", exc.message)
    finally:
        shutil.rmtree(place, ignore_errors=True)
