"""One recipe, exported and proven: parity with the reference, the gate, the operating point, the time of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundles import golden
from edgekit.bundles.manifest import Verdict
from edgekit.common.figures import NOT_MEASURED
from edgekit.common.processors import usable_processors
from edgekit.core import (
    Artifact,
    Checkpoint,
    Exporter,
    Feeds,
    Progress,
    Recipe,
    Runner,
    TensorSpec,
)
from edgekit.errors import EdgekitError, GateFailed, ParityFailed
from edgekit.gate import speed, texts
from edgekit.gate.verdicts import judge, not_measured
from edgekit.numerics.parity import Recorder, limit_of, part_error
from edgekit.pipeline.job import Job
from edgekit.pipeline.tracing import Reference, measured
from edgekit.registry import find


@dataclass(frozen=True)
class Accepted:
    """The recipe that was taken, what it wrote, and what was found out about it. `facts` hold its operating point."""

    recipe: Recipe
    artifacts: Sequence[Artifact]
    parity: Mapping[str, float]
    specs: Mapping[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]
    output: str
    verdict: Verdict
    facts: Mapping[str, Any]


def prove(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: Reference,
    recipe: Recipe,
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> Accepted:
    """Export with one recipe, and prove it.

    Raises:
        ParityFailed: a part is further from the reference than the precision explains. GateFailed: it is less accurate.
    """
    exporter = find("exporters", recipe.exporter)
    artifacts = exporter.export(job.model, checkpoint, recipe, reference.calibration, stage, work, tell)
    runners = {artifact.part: exporter.load(stage / artifact.file, usable_processors()) for artifact in artifacts}
    parity, far = _parity(runners, reference, recipe, tell)
    if far is not None:
        scored = _scored_too(job, runners, reference, recipe, stage, work, facts, tell)
        raise ParityFailed(far.message + scored, hint=far.hint)
    specs = {part: (runner.inputs, runner.outputs) for part, runner in runners.items()}
    recorders = {part: Recorder(runner, keep=2) for part, runner in runners.items()}
    predictor = job.model.task.predictor(recorders, stage, facts)
    output = golden.answer(predictor, stage / golden_input)
    golden.compare(recorders, reference.golden, recipe.precision)  # as `verify` will
    for recorder in recorders.values():
        recorder.close()
    scores, _ = measured(job, predictor, work, f"measuring {recipe.precision}", tell)
    verdict = _judged(job, scores, reference)
    if verdict.verdict == "fail":
        raise GateFailed(f"{job.model.name} in {spoken(recipe)}: {verdict.reason}.", hint="Try another --precision.")
    facts = _operated(job, scores, facts)
    if "operating_point" in facts:  # another threshold, perhaps another answer
        output = golden.answer(job.model.task.predictor(runners, stage, facts), stage / golden_input)
    artifacts = [_timed(exporter, artifact, stage, work, recipe, reference.calibration, tell) for artifact in artifacts]
    return Accepted(recipe, artifacts, parity, specs, output, verdict, facts)


def _parity(
    runners: Mapping[str, Runner], reference: Reference, recipe: Recipe, tell: Progress
) -> tuple[dict[str, float], ParityFailed | None]:
    """How far every part is from the reference on real input; and the refusal, where one is further than allowed."""
    parity: dict[str, float] = {}
    for part, runner in runners.items():
        tell(f"parity of {part}", 0, 0)
        parity[part] = error = part_error(runner, reference.recorders[part].calls)
        if not error <= (limit := limit_of(recipe.precision)):
            return parity, ParityFailed(
                f"the part {part!r} in {recipe.precision} is {error:.1%} away from the fp32 reference on real input; "
                f"the precision explains {limit:.1%}.",
                hint="Try another --precision.",
            )
    return parity, None


def _scored_too(
    job: Job,
    runners: Mapping[str, Runner],
    reference: Reference,
    recipe: Recipe,
    stage: Path,
    work: Path,
    facts: Mapping[str, Any],
    tell: Progress,
) -> str:
    """What the gate says of parts that parity has refused: a distance alone does not tell what would be lost."""
    if job.model.task.evaluation is None or not job.samples:
        return ""
    try:
        predictor = job.model.task.predictor(runners, stage, facts)
        scores, _ = measured(job, predictor, work, f"measuring {recipe.precision}", tell)
        verdict = _judged(job, scores, reference)
    except EdgekitError as exc:  # values that no answer can be made of
        return f" It gives no answers that can be scored: {exc.message}"
    return f" The gate: {verdict.verdict}, {verdict.reason}."


def _judged(job: Job, scores: Sequence[Any], reference: Reference) -> Verdict:
    """The gate's verdict."""
    if job.model.task.evaluation is None:
        return not_measured(f"{job.model.name} declares no metric")
    if not job.samples:
        return not_measured("no --data was given")
    truths, names = [sample.truth for sample in job.samples], [sample.name for sample in job.samples]
    if texts.applies(job.model):
        return texts.judge(job.model.task.evaluation, scores, reference.answers, job.data)
    evaluation = job.model.task.evaluation
    return judge(evaluation, scores, reference.answers, truths, job.data, names, reference.languages)


def _operated(job: Job, scores: Sequence[Any], facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """`facts` with the operating point that the candidate's own scores give, where there is data to tell it by."""
    truths = [sample.truth for sample in job.samples]
    if job.model.task.operate is None or not truths or any(truth is None for truth in truths):
        return facts
    found = dict(job.model.task.operate(scores, truths, job.operating))
    return {**facts, "operating_point": {**found, "data": job.data, "samples": len(truths)}}


def _timed(
    exporter: Exporter,
    artifact: Artifact,
    stage: Path,
    work: Path,
    recipe: Recipe,
    calibration: Mapping[str, Sequence[Feeds]],
    tell: Progress,
) -> Artifact:
    """The artefact, with what a call of it takes beside its fp32 form on this machine, or why that was not measured."""
    if recipe.precision == "fp32":
        return artifact
    found: dict[str, Any] = {NOT_MEASURED: "fp16 is not compared with fp32"}
    if recipe.precision != "fp16":
        tell(f"comparing {artifact.part} with its fp32 form", 0, 0)
        found = speed.against_fp32(exporter, artifact, stage, work, calibration[artifact.part])
    return replace(artifact, census={**artifact.census, "speed": found})


def spoken(recipe: Recipe) -> str:
    options = ", ".join(f"{name} {value}" for name, value in recipe.options.items())
    return f"{recipe.exporter} {recipe.precision}" + (f" ({options})" if options else "")
