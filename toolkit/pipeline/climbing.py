"""The ladder: recipes are tried in order until the gate accepts one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from edgekit.bundles.facts import recipe_facts
from edgekit.bundles.manifest import Attempt, Verdict
from edgekit.core import Recipe
from edgekit.errors import ExportFailed, GateFailed, ParityFailed
from edgekit.estimation import budgets
from edgekit.gate import frontier, frontier_plot
from edgekit.pipeline.evidence import Samples
from edgekit.pipeline.job import Run
from edgekit.pipeline.proving import Accepted, prove, spoken
from edgekit.pipeline.tracing import Reference

__all__ = ["climb", "smallest"]


def climb(run: Run, reference: Reference) -> tuple[Accepted, list[Attempt]]:
    """The first recipe of the ladder that passes parity and gate, and all attempts.

    Raises:
        ParityFailed, GateFailed: the last refusal, if all recipes were refused.
    """
    attempts: list[Attempt] = []
    recipes = run.job.recipes()
    before = set(run.stage.rglob("*"))
    for i, recipe in enumerate(recipes):
        try:
            accepted = prove(run, reference, recipe)
        except (ParityFailed, GateFailed, ExportFailed) as exc:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"refused: {exc.message}"))
            if i == len(recipes) - 1:
                raise
            left = set(run.stage.rglob("*")) - before
            for path in sorted(left, reverse=True):  # files before their folder
                path.rmdir() if path.is_dir() else path.unlink()
            run.tell(f"{spoken(recipe)} was refused ({exc.message}); trying {spoken(recipes[i + 1])}", 0, 0)
        else:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"taken: {accepted.verdict.verdict}"))
            return accepted, attempts
    raise AssertionError("a job has at least one recipe")


def smallest(run: Run, reference: Reference) -> Run:
    """`run`, with the smallest recipe of the ladder that passes the gate. The measurements of all recipes stay in the
    bundle.

    Raises:
        GateFailed: none passes.
    """
    job, task = run.job, run.job.model.task
    assert task.evaluation is not None
    # Every recipe is measured, so no loss may refuse a recipe here.
    lenient = replace(task, evaluation=replace(task.evaluation, drop=float("inf")))
    open_ = replace(job, model=replace(job.model, task=lenient))
    unjudged = replace(reference, samples=Samples(absent="a trial of the search"))

    def attempt(recipe: Recipe) -> tuple[Path, Verdict]:
        place = run.work / f"frontier-{recipe.precision}"
        (place / run.golden_input).parent.mkdir(parents=True)
        shutil.copyfile(run.stage / run.golden_input, place / run.golden_input)
        tried = prove(replace(run, job=open_, stage=place), unjudged, recipe)
        return place / tried.artifacts[0].file, tried.verdict

    recipes = [
        replace(recipe, options={**job.recipe.options, **recipe.options})
        for recipe in job.model.network.ladder
        if not budgets.excess(job.model, job.target, recipe)
    ]
    points = [frontier.measure(recipe, attempt, task.evaluation, run.tell) for recipe in recipes]
    chosen = frontier.smallest(points, task.evaluation)
    frontier_plot.write(points, chosen, run.stage)
    taken = next(recipe for recipe in recipes if recipe.precision == chosen)
    return replace(run, job=replace(job, recipe=taken))
