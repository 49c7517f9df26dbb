"""The ladder: recipes are tried in order until the gate accepts one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.bundles.facts import recipe_facts
from edgekit.bundles.manifest import Attempt, Verdict
from edgekit.core import (
    Checkpoint,
    Progress,
    Recipe,
)
from edgekit.errors import GateFailed, ParityFailed
from edgekit.estimation import budgets
from edgekit.gate import frontier, frontier_plot
from edgekit.pipeline.job import Job
from edgekit.pipeline.proving import Accepted, prove, spoken
from edgekit.pipeline.tracing import Reference

__all__ = []


def _climb(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: Reference,
    golden_input: str,
    stage: Path,
    work: Path,
    attempts: list[Attempt],
    tell: Progress,
) -> Accepted:
    """Try recipes in order until one is refused by neither parity nor gate; note every try in `attempts`."""
    recipes = _recipes(job)
    before = set(stage.rglob("*"))
    for i, recipe in enumerate(recipes):
        try:
            accepted = prove(job, checkpoint, facts, reference, recipe, golden_input, stage, work, tell)
        except (ParityFailed, GateFailed) as exc:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"refused: {exc.message}"))
            if i == len(recipes) - 1:
                raise
            for left in sorted(set(stage.rglob("*")) - before, reverse=True):  # what is in a folder before the folder
                left.rmdir() if left.is_dir() else left.unlink()
            tell(f"{spoken(recipe)} was refused ({exc.message}); trying {spoken(recipes[i + 1])}", 0, 0)
        else:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"taken: {accepted.verdict.verdict}"))
            return accepted
    raise AssertionError("a job has at least one recipe")


def _smallest(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: Reference,
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> Job:
    """`job`, with the smallest recipe of the ladder that passes the gate. What was found of each stays in the bundle.

    Raises:
        GateFailed: none passes.
    """
    assert job.model.task.evaluation is not None
    # Every one is measured, so none may be refused for what it loses.
    open_ = replace(
        job,
        model=replace(
            job.model, task=replace(job.model.task, evaluation=replace(job.model.task.evaluation, drop=float("inf")))
        ),
    )

    def attempt(recipe: Recipe) -> tuple[Path, Verdict]:
        place = work / f"frontier-{recipe.precision}"
        (place / golden_input).parent.mkdir(parents=True)
        shutil.copyfile(stage / golden_input, place / golden_input)
        tried = prove(open_, checkpoint, facts, reference, recipe, golden_input, place, work, tell)
        return place / tried.artifacts[0].file, tried.verdict

    recipes = [
        replace(recipe, options={**job.recipe.options, **recipe.options})
        for recipe in job.model.network.ladder
        if not budgets.excess(job.model, job.target, recipe)
    ]
    points = [frontier.measure(recipe, attempt, job.model.task.evaluation, tell) for recipe in recipes]
    chosen = frontier.smallest(points, job.model.task.evaluation)
    frontier_plot.write(points, chosen, stage)
    return replace(job, recipe=next(recipe for recipe in recipes if recipe.precision == chosen))


def _recipes(job: Job) -> list[Recipe]:
    """The recipe that was asked for, then those of the model's ladder that come after it and fit the target."""
    if not job.fallback:
        return [job.recipe]
    ladder = [recipe for recipe in job.model.network.ladder if recipe.exporter == job.recipe.exporter]
    ladder = [recipe for recipe in ladder if not budgets.excess(job.model, job.target, recipe)]
    same = [i for i, recipe in enumerate(ladder) if recipe.precision == job.recipe.precision]
    return [job.recipe, *(recipe for recipe in ladder[same[0] :] if recipe != job.recipe)] if same else [job.recipe]
