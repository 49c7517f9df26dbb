"""A trial: a recipe is exported, proven and measured in a folder of its own, which is then removed."""

from __future__ import annotations

import shutil
from dataclasses import replace

from edgekit.common.processors import usable_processors
from edgekit.core import Recipe
from edgekit.errors import BadInput, ExportFailed, GateFailed, ParityFailed, Unsupported
from edgekit.gate.frontier import Point
from edgekit.pipeline import evidence
from edgekit.pipeline.job import Run
from edgekit.pipeline.proving import prove
from edgekit.pipeline.reuse import key_of
from edgekit.pipeline.tracing import Reference


def key_of_trials(run: Run) -> str:
    """Of all that decides what a trial measures, so not of the limits."""
    return key_of(replace(run.job, limits=None), run.checkpoint.path)


def measure_recipe(run: Run, reference: Reference, name: str, recipe: Recipe) -> Point:
    """`recipe`, made and measured; with the reason, if it was refused."""
    job, place = run.job, run.work / "trial"
    shutil.copytree(run.stage, place)
    alone = replace(job, model=job.judge.lenient(job.model), samples=job.samples[: job.choosing])
    trial = replace(run, job=alone, stage=place)
    reference = reference.choosing(job.choosing)
    if job.judge.searches:  # the text decides, and every recipe is measured on it
        reference = replace(reference, samples=evidence.Samples(absent="a trial of the search"))
    try:
        made = prove(trial, reference, recipe)
        runners = {a.part: job.runtime.load(place / a.file, usable_processors()) for a in made.artifacts}
        predictor = trial.predictor(runners, made.facts)
        run.tell(f"speed of {name}", 0, 0)
        pace = job.judge.pace(runners, lambda: predictor.predict(place / run.golden_input))
        verdict, loss = job.judge.loss(job.model, made.verdict, made.agreement)
        # The bundle has the answers of the reference, too: they are written here for their size.
        reference.facts(made.agreement, place)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        figures = {**{other: score.value for other, score in verdict.others.items()}, **made.agreement.figures}
        return Point(name, verdict.verdict, verdict.reason, size, loss=loss, figures=figures, **pace)
    except (ParityFailed, GateFailed, ExportFailed, BadInput, Unsupported) as exc:  # some need calibration text
        return Point(name, "fail", exc.message)
    finally:
        shutil.rmtree(place, ignore_errors=True)
