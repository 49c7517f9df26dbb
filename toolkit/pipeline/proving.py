"""Export with a recipe and check the result: parity part by part, then the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.bundles import golden
from edgekit.bundles.manifest import Agreement, Verdict
from edgekit.bundles.places import placement_of
from edgekit.common.figures import NOT_MEASURED
from edgekit.common.processors import usable_processors
from edgekit.core import Artifact, Facts, Predictor, Recipe, Runner, TensorSpec, Work
from edgekit.errors import CannotRun, EdgekitError, GateFailed, ParityFailed
from edgekit.gate import placing, speed
from edgekit.gate.agreement import Grounds, judge_chosen
from edgekit.gate.agreement import not_measured as not_compared
from edgekit.gate.judges import Scores
from edgekit.gate.positions import Positions, by_source, distance
from edgekit.gate.verdicts import chosen_among, not_measured
from edgekit.numerics.parity import Recorder, chain_limit_of, coarsest, limit_of, part_error, part_precision, spread
from edgekit.pipeline.artifacts import export_recipe
from edgekit.pipeline.job import Job, Run
from edgekit.pipeline.tracing import Reference

#: Multiplications that a simulator is asked for: in the answers to the evidence (some minutes), and in the proof of a
#: part. So many samples and calls are judged, at least one of each: a count, which a loaded machine does not change.
_ANSWERS, _PROOF = 40e9, 10e9
#: What a call costs besides, in multiplications.
_CALL = 5e6
#: Calls in the proof of a part, at most.
_CALLS = 4


class Disagreement(GateFailed):
    """The answers of a recipe are not those of the fp32 reference."""

    def __init__(self, job: Job, recipe: Recipe, agreement: Agreement) -> None:
        super().__init__(
            f"{job.model.name} in {recipe} does not agree with the fp32 reference: {agreement.reason}.",
            hint="Try another --precision; --no-evidence exports without this check, and records that.",
        )


@dataclass(frozen=True)
class Accepted:
    """The accepted recipe, its artefacts, and their measurements. `errors` are those on the golden input, `facts` hold
    its operating point, `agreement` the verdict on the evidence, of which `reference` has the samples that were judged.
    """

    recipe: Recipe
    artifacts: Sequence[Artifact]
    parity: Mapping[str, float | None]
    specs: Mapping[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]
    output: str
    errors: Mapping[str, float]
    verdict: Verdict
    facts: Facts
    agreement: Agreement
    reference: Reference


def prove(run: Run, reference: Reference, recipe: Recipe) -> Accepted:
    """Export with a recipe into `run.stage`, and check parity and accuracy.

    Raises:
        ParityFailed: a part is further from the reference than the precision explains. GateFailed: it is less accurate.
    """
    job, stage = run.job, run.stage
    made = export_recipe(run, reference, recipe)
    artifacts = made.artifacts
    artifacts, placed = _prove_placements(run, reference, recipe, artifacts)
    runners = {artifact.part: job.runtime.load(stage / artifact.file, usable_processors()) for artifact in artifacts}
    if why := golden.unable(runners):
        made.keep(stage, artifacts)
        return _unproven(artifacts, runners, reference, recipe, run.facts, why)
    parity, far = _parity(run, runners, reference, recipe, placed)
    if far is not None:
        raise ParityFailed(far.message + _gate_too(run, runners, reference, recipe), hint=far.hint)
    specs = {part: (runner.inputs, runner.outputs) for part, runner in runners.items()}
    recorders = {part: Recorder(runner, keep=2) for part, runner in runners.items()}
    predictor = run.predictor(recorders)
    output = golden.answer(predictor, stage / run.golden_input)
    if job.runtime.runs == "simulated":
        asked = sum(work.calls * (work.macs + _CALL) for work in _works(job, recipe, artifacts))
        reference = reference.shorten(max(1, int(_ANSWERS / max(asked, _CALL))))
    errors = golden.compare(recorders, reference.golden, dict.fromkeys(recorders, _chain_limit(job, recipe)))
    for recorder in recorders.values():
        recorder.close()
    agreement = _agreement(run, predictor, reference, recipe)
    scores = run.scores(predictor, f"measuring {recipe.precision}")
    verdict = _judge_data(run, scores, reference)
    if verdict.verdict == "fail":
        raise GateFailed(f"{job.model.name} in {recipe}: {verdict.reason}.", hint="Try another --precision.")
    facts = _choose_operating_point(job, scores, run.facts)
    if "operating_point" in facts:  # another threshold, perhaps another answer
        output = golden.answer(run.predictor(runners, facts), stage / run.golden_input)
    if not made.reused:
        artifacts = [_time_artifact(run, artifact, recipe, reference) for artifact in artifacts]
        made.keep(stage, artifacts)
    return Accepted(recipe, artifacts, parity, specs, output, errors, verdict, facts, agreement, reference)


def _prove_placements(
    run: Run, reference: Reference, recipe: Recipe, artifacts: Sequence[Artifact]
) -> tuple[list[Artifact], dict[str, float]]:
    """The artefacts with the proofs of their places on an accelerator, and part -> error of those that are there.

    A part that is wrong there refuses the recipe. Where no other recipe would change it, it stays on the processor; so
    do all where `run.off` says why.

    Raises:
        ParityFailed: a part is wrong there; too little of a part is there for the user.
    """
    proven, errors = list[Artifact](), dict[str, float]()
    for artifact in artifacts:
        placement = placement_of(artifact.census)
        if placement is not None and placement.fidelity == "simulated" and placement.verdict == "on the unit":
            run.tell(f"{artifact.part} on {placement.unit}", 0, 0)
            try:
                if run.off:
                    raise ParityFailed(run.off)
                asked = sum(work.macs for work in _works(run.job, recipe, [artifact]))
                asked = asked or run.job.model.network.parameters
                most = min(_CALLS, max(1, int(_PROOF / (asked + _CALL))))
                artifact, errors[artifact.part] = placing.judge_part(
                    run.job.runtime, artifact, run.stage, recipe, spread(reference.judged[artifact.part].calls, most)
                )
            except (ParityFailed, CannotRun) as exc:
                last = recipe == run.job.recipes()[-1]
                if run.job.model.network.part(artifact.part).quantize and not last:
                    raise
                artifact = placing.leave_off(artifact, run.stage, exc.message.rstrip("."))
        proven.append(artifact)
    if run.job.asked.require_placed is not None:
        placing.check_placed(proven, run.job.asked.require_placed)
    return proven, errors


def _works(job: Job, recipe: Recipe, artifacts: Sequence[Artifact]) -> list[Work]:
    """What is known of the work of those of the parts that are not left off an accelerator."""
    placements = {artifact.part: placement_of(artifact.census) for artifact in artifacts}
    there = {part for part, placed in placements.items() if placed is None or placed.verdict == "on the unit"}
    works = job.model.costs.work(recipe) if job.model.costs.work else ()
    return [work for work in works if work.part in there]


def _agreement(run: Run, predictor: Predictor, reference: Reference, recipe: Recipe) -> Agreement:
    """The verdict on the evidence. Raises GateFailed below the task's bar, by the samples that may choose.

    A recipe before which others were tried is judged by the other samples, and may fail there.
    """
    job, samples = run.job, reference.samples
    if samples.evidence is None:
        return not_compared(samples.absent)
    found: list[Positions] = []

    def force(i: int, answer: Any) -> None:
        if reference.likeliest:
            found.append(distance(predictor, samples.judged[i], reference.answers[i], reference.likeliest[i]))

    answers = run.answers(predictor, samples.judged, f"answers in {recipe.precision}", after=force)

    def judge(part: slice, grounds: Grounds) -> Agreement:
        if found:
            shares, divergence = by_source(found[part], samples.judged[part])
            grounds = replace(grounds, positions=shares, divergence=divergence)
        return job.judge.agreement(job.model, answers[part], reference.answers[part], samples.judged[part], grounds)

    first, agreement = judge_chosen(judge, samples.choosing, len(samples.judged), run.tried + 1)
    if first.verdict == "fail":
        raise Disagreement(job, recipe, first)
    return agreement


def _unproven(
    artifacts: Sequence[Artifact],
    runners: Mapping[str, Runner],
    reference: Reference,
    recipe: Recipe,
    facts: Facts,
    why: str,
) -> Accepted:
    """Artefacts whose structure alone is known (fidelity "structural"): no figure stands for what was not run."""
    told = {"fidelity": "structural", "parity": f"{NOT_MEASURED}: {why}", "speed": {NOT_MEASURED: why}}
    return Accepted(
        recipe,
        [replace(artifact, census={**artifact.census, **told}) for artifact in artifacts],
        dict.fromkeys(runners),
        {part: (runner.inputs, runner.outputs) for part, runner in runners.items()},
        reference.output,
        {},
        not_measured(why),
        facts,
        not_compared(why),
        reference,
    )


def _parity(
    run: Run, runners: Mapping[str, Runner], reference: Reference, recipe: Recipe, known: Mapping[str, float]
) -> tuple[dict[str, float | None], ParityFailed | None]:
    """Part -> relative error against the reference on samples that calibrated nothing; and the refusal, if a part is
    beyond its limit. known: of parts that were compared before."""
    parity: dict[str, float | None] = {}
    for part, runner in runners.items():
        run.tell(f"parity of {part}", 0, 0)
        error = known[part] if part in known else part_error(runner, reference.judged[part].calls)
        parity[part] = error
        precision = part_precision(recipe, run.job.model.network.part(part).quantize)
        if not error <= (limit := limit_of(precision, run.job.exporter.limits, recipe.runtime)):
            return parity, ParityFailed(
                f"the part {part!r} in {precision} is {error:.2%} away from the fp32 reference on real input; "
                f"the precision explains {limit:.2%}.",
                hint="Try another --precision.",
            )
    return parity, None


def _chain_limit(job: Job, recipe: Recipe) -> float:
    return chain_limit_of(coarsest(recipe.precision, recipe.options), job.exporter.limits, recipe.runtime)


def _gate_too(run: Run, runners: Mapping[str, Runner], reference: Reference, recipe: Recipe) -> str:
    """The gate's verdict on parts that parity has refused, as text: an error alone does not show the lost accuracy."""
    if run.job.model.task.evaluation is None or not run.job.samples:
        return ""
    try:
        verdict = _judge_data(run, run.scores(run.predictor(runners), f"measuring {recipe.precision}"), reference)
    except EdgekitError as exc:  # the outputs cannot be decoded
        return f" It gives no answers that can be scored: {exc.message}"
    return f" The gate: {verdict.verdict}, {verdict.reason}."


def _judge_data(run: Run, scores: Scores, reference: Reference) -> Verdict:
    """The gate's verdict on the data. What other recipes were compared on does not prove this one."""
    job, evaluation = run.job, run.job.model.task.evaluation
    if evaluation is None:
        return not_measured(f"{job.model.name} declares no metric")
    if not job.samples:
        return not_measured("no --data")

    def verdict(places: range) -> Verdict:
        mine, fp32 = scores.subset(places), reference.scores.subset(places)
        return job.judge.verdict(evaluation, mine, fp32, [job.samples[i] for i in places], job.data)

    every, apart = range(len(job.samples)), len(job.samples) - job.choosing
    if not apart:
        found = job.judge.verdict(evaluation, scores, reference.scores, job.samples, job.data)
        return chosen_among(found, run.compared + 1, apart=False) if run.compared else found
    found = verdict(every[: job.choosing])
    if found.verdict == "fail":
        return found
    return chosen_among(verdict(every[job.choosing :]), run.compared + 1) if run.compared else verdict(every)


def _choose_operating_point(job: Job, scores: Scores, facts: Facts) -> Facts:
    """`facts` with the operating point chosen by the candidate's own scores, if there is labelled data."""
    truths = [sample.truth for sample in job.samples]
    if job.model.task.operate is None or not truths or any(truth is None for truth in truths):
        return facts
    point = dict(job.model.task.operate(scores.values, truths, job.operating))
    return {**facts, "operating_point": {**point, "data": job.data, "samples": len(truths)}}


def _time_artifact(run: Run, artifact: Artifact, recipe: Recipe, reference: Reference) -> Artifact:
    """The artefact with the time of a call compared with fp32 on this machine, or why that was not measured."""
    if recipe.precision == "fp32":
        return artifact
    times: Facts = {NOT_MEASURED: "fp16 is not compared with fp32"}
    if recipe.precision != "fp16":
        run.tell(f"comparing {artifact.part} with its fp32 form", 0, 0)
        feeds = reference.calibration[artifact.part]
        times = speed.against_fp32(run.job.runtime, artifact, run.stage, run.work, feeds)
    return replace(artifact, census={**artifact.census, "speed": times})
