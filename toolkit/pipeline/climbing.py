"""The ladder: recipes are tried in order until the gate accepts one."""

from __future__ import annotations

from dataclasses import replace

from edgekit.bundles.facts import recipe_facts
from edgekit.bundles.manifest import Attempt
from edgekit.core import Recipe
from edgekit.errors import BadInput, CannotRun, ExportFailed, GateFailed, ParityFailed
from edgekit.pipeline.job import Run
from edgekit.pipeline.proving import Accepted, Disagreement, prove
from edgekit.pipeline.tracing import Reference


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
            accepted = _prove_runnable(run, reference, recipe)
            if accepted.agreement.verdict == "fail":  # by samples that were to prove: now they have chosen, too
                reference = reference.let_all_samples_choose()
                raise Disagreement(run.job, recipe, accepted.agreement)
        except (ParityFailed, GateFailed, ExportFailed) as exc:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"refused: {exc.message}"))
            if i == len(recipes) - 1:
                raise
            run = _after(run, exc)
            left = set(run.stage.rglob("*")) - before
            for path in sorted(left, reverse=True):  # files before their folder
                path.rmdir() if path.is_dir() else path.unlink()
            run.tell(f"{recipe} was refused ({exc.message.rstrip('.')}); trying {recipes[i + 1]}", 0, 0)
        else:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"taken: {accepted.verdict.verdict}"))
            return accepted, attempts
    raise AssertionError("a job has at least one recipe")


def _after(run: Run, refusal: Exception) -> Run:
    """`run` with the refusal counted, by what refused: the evidence, or the data, which then has chosen."""
    if isinstance(refusal, GateFailed) and not isinstance(refusal, Disagreement):
        job = replace(run.job, choosing=len(run.job.samples))
        return replace(run, job=job, tried=run.tried + 1, compared=run.compared + 1)
    return replace(run, tried=run.tried + (not isinstance(refusal, ExportFailed)))


def _prove_runnable(run: Run, reference: Reference, recipe: Recipe) -> Accepted:
    """As `prove`. Raises ExportFailed for a network that its runtime cannot run, where the reference ran; and where an
    accelerator's integers, which nobody asked for, have too few samples. The last recipe is tried on the processor,
    too, where it was refused on an accelerator."""
    try:
        return prove(run, reference, recipe)
    except CannotRun as exc:
        raise ExportFailed(
            f"a network that was made for {recipe.runtime} cannot be run: {exc.message}",
            hint=exc.hint or "Choose another --runtime or --precision.",
        ) from exc
    except (ParityFailed, GateFailed) as exc:
        simulated = run.job.runtime.runs == "simulated" and run.job.runtime.cpu
        if not simulated or run.off or recipe != run.job.recipes()[-1] or run.job.asked.require_placed is not None:
            raise
        # Each part is right there by itself, and together they are not: the last rung is the processor.
        run.tell(f"{recipe} was refused on the accelerator ({exc.message.rstrip('.')}); trying the processor", 0, 0)
        return prove(replace(run, off=exc.message.rstrip(".")), reference, recipe)
    except BadInput as exc:
        if run.job.runtime.cpu and run.job.asked.precision is None:
            raise ExportFailed(exc.message, hint=exc.hint) from exc
        raise
