"""Making a bundle: trace the reference, climb the ladder of recipes, write all that the bundle says about itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import edgekit
from edgekit import fitting, frontier, golden, sbom, speed, texts
from edgekit.bench import host
from edgekit.bundle import inventory, usable_processors
from edgekit.core import (
    Artifact,
    Checkpoint,
    Exporter,
    Feeds,
    Model,
    Predictor,
    Progress,
    Recipe,
    Runner,
    Sample,
    Source,
    Target,
    TensorSpec,
)
from edgekit.errors import BadInput, ExportFailed, GateFailed, ParityFailed
from edgekit.facts import part_facts, recipe_facts, source_facts, target_facts
from edgekit.gate import answers, judge, not_measured
from edgekit.manifest import (
    NAME,
    SCHEMA,
    Attempt,
    Golden,
    Manifest,
    ModelFacts,
    Verdict,
    encode,
)
from edgekit.parity import Recorder, limit_of, part_error, reference_of
from edgekit.readme import render as readme
from edgekit.registry import find
from edgekit.sources import fetch

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Distributions whose versions decide what an export does.
TOOLS = (
    *("torch", "onnx", "onnxscript", "onnxruntime", "tokenizers", "numpy"),
    *("tflite-micro", "litert-torch", "ai-edge-quantizer", "llama-cpp-python"),
)


@dataclass(frozen=True)
class Job:
    """What was asked for, every name resolved and every folder opened."""

    model: Model
    target: Target
    recipe: Recipe
    calibration: Sequence[Sample]
    samples: Sequence[Sample]
    data: str
    offline: bool
    fallback: bool
    operating: Mapping[str, Any] = field(default_factory=dict)
    auto: bool = False


@dataclass(frozen=True)
class _Reference:
    """The fp32 reference, traced: every part's calls, samples of the golden input's, the answers to it and the data."""

    recorders: Mapping[str, Recorder]
    golden: Mapping[str, NDArray[Any]]
    output: str
    answers: Sequence[Any]
    calibration: Mapping[str, Sequence[Feeds]]


@dataclass(frozen=True)
class _Accepted:
    """The recipe that was taken, what it wrote, and what was found out about it. `facts` hold its operating point."""

    recipe: Recipe
    artifacts: Sequence[Artifact]
    parity: Mapping[str, float]
    specs: Mapping[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]
    output: str
    verdict: Verdict
    facts: Mapping[str, Any]


def make(
    job: Job, checkpoint: Checkpoint, source: Source | None, key: str, stage: Path, work: Path, tell: Progress
) -> None:
    """Fill the folder `stage` with a whole bundle.

    Raises:
        ParityFailed, GateFailed: every recipe of the ladder was refused; the last refusal. ExportFailed, BadInput, ...
    """
    beside = checkpoint.path if checkpoint.path.is_dir() else checkpoint.path.parent
    _assets(job.model, beside, stage, job.offline, tell)
    facts = job.model.prepare(checkpoint, stage)
    golden_input = golden.write_input(job.model, stage)
    reference = _trace(job, checkpoint, facts, golden_input, stage, work, tell)
    attempts: list[Attempt] = []
    if job.auto:
        job = _smallest(job, checkpoint, facts, reference, golden_input, stage, work, tell)
    accepted = _climb(job, checkpoint, facts, reference, golden_input, stage, work, attempts, tell)
    tell("writing the bundle", 0, 0)
    golden_reference = golden.write_reference(reference.golden, stage)
    licence = _licence(job.model, source, stage)
    manifest = Manifest(
        schema=SCHEMA,
        edgekit=edgekit.__version__,
        key=key,
        model=ModelFacts(
            name=job.model.name, family=job.model.family, task=job.model.task, parameters=job.model.parameters
        ),
        source=source_facts(checkpoint, source),
        target=target_facts(job.target),
        recipe=recipe_facts(accepted.recipe),
        parts=[
            part_facts(artifact, accepted.specs[artifact.part], accepted.parity[artifact.part])
            for artifact in accepted.artifacts
        ],
        facts=dict(accepted.facts),
        golden=Golden(
            input=golden_input,
            reference=golden_reference,
            output=accepted.output,
            reference_output=reference.output,
        ),
        gate=accepted.verdict,
        attempts=attempts,
        licences={"weights": licence, "edgekit": "Apache-2.0"},
        versions={"edgekit": edgekit.__version__, **host.versions(TOOLS)},
        files={},
    )
    (stage / "README.md").write_text(readme(manifest), encoding="utf-8")
    (stage / sbom.NAME).write_bytes(sbom.render(manifest, inventory(stage)))
    if job.target.pack:
        job.target.pack(stage)
    (stage / NAME).write_bytes(encode(msgspec.structs.replace(manifest, files=inventory(stage))))


def _licence(model: Model, source: Source | None, stage: Path) -> str:
    """Put the licence of the weights into the bundle folder `stage`; returns its name.

    The declared licence holds for the declared sources. Whoever brings other weights brings their licence too.
    """
    text = golden.package_data(model.licence_text)
    name = source.licence if source else "unknown"
    if source not in model.sources:
        text = (
            f"These weights were given by whoever made this bundle; their licence: {name}.\n"
            f"The published weights of {model.name} are under this one ({model.licence}):\n\n"
        ).encode() + text
    (stage / "licences").mkdir()
    (stage / "licences" / "weights.txt").write_bytes(text)
    return name


def _assets(model: Model, folder: Path, stage: Path, offline: bool, tell: Progress) -> None:
    """Copy the files that a bundle carries as they are; where the user's weights lack one, take the model's own."""
    for name in model.assets:
        held = folder / name
        if not held.is_file():
            pinned = next((file for source in model.sources for file in source.files if file.name == name), None)
            if pinned is None:
                raise BadInput(f"the weights in {folder} lack {name}, which {model.name} needs beside them.")
            only = Source(model.sources[0].uri, model.sources[0].revision, model.licence, (pinned,))
            held = fetch([only], offline=offline, progress=tell)[0] / name
        shutil.copyfile(held, stage / name)


def _trace(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> _Reference:
    """Run the reference on the golden input, the calibration samples and the data."""
    tell("running the fp32 reference", 0, 0)
    recorders = {name: Recorder(runner) for name, runner in _references(job, checkpoint, work, tell).items()}
    predictor = job.model.pipeline(recorders, stage, facts)
    output = golden.answer(predictor, stage / golden_input)
    for name, recorder in recorders.items():
        if not recorder.calls:
            raise ExportFailed(
                f"{job.model.name}: the golden input never reaches the part {name!r}; it proves nothing."
            )
    of_golden = golden.reference_of(recorders)
    calibration = _calibration(job, predictor, recorders)
    for recorder in recorders.values():
        recorder.close()
    reference = _scores(job, predictor, work, "measuring the reference", tell, reference=True)
    return _Reference(recorders, of_golden, output, reference, calibration)


def _references(job: Job, checkpoint: Checkpoint, work: Path, tell: Progress) -> dict[str, Runner]:
    """What every part is compared with. Raises ExportFailed where nothing can compute it."""
    exporter: Any = find("exporters", job.recipe.exporter)
    own: Mapping[str, Runner] = {}
    if any(part.build is None for part in job.model.parts) and hasattr(exporter, "reference"):
        own = exporter.reference(job.model, checkpoint, work, tell)
    found = {}
    for part in job.model.parts:
        if part.build is None and part.name not in own:
            raise ExportFailed(f"{job.model.name}: the part {part.name!r} has no reference to compare with.")
        found[part.name] = own[part.name] if part.build is None else reference_of(part, part.build(checkpoint))
    return found


def _calibration(job: Job, predictor: Predictor, recorders: Mapping[str, Recorder]) -> Mapping[str, Sequence[Feeds]]:
    """What every part was called with: on the golden input, and on the calibration samples.

    Texts need not be run, and their logits could not be held: tokens are all that an importance matrix is made of.
    """
    if texts.applies(job.model):
        return {
            name: [*(feeds for feeds, _ in recorder.calls), *texts.feeds(predictor, _calibrating(job))]
            for name, recorder in recorders.items()
        }
    for sample in _calibrating(job):
        predictor.predict(sample.input)
    return {name: [feeds for feeds, _ in recorder.calls] for name, recorder in recorders.items()}


def _calibrating(job: Job) -> Sequence[Sample]:
    """The calibration samples that are used (see `Model.calibration`)."""
    most, have = job.model.calibration, job.calibration
    if not most:
        return have[:8]
    return [have[i * len(have) // most] for i in range(most)] if len(have) > most else have


def _climb(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: _Reference,
    golden_input: str,
    stage: Path,
    work: Path,
    attempts: list[Attempt],
    tell: Progress,
) -> _Accepted:
    """Try recipes in order until one is refused by neither parity nor gate; note every try in `attempts`."""
    recipes = _recipes(job)
    before = set(stage.rglob("*"))
    for i, recipe in enumerate(recipes):
        try:
            accepted = _attempt(job, checkpoint, facts, reference, recipe, golden_input, stage, work, tell)
        except (ParityFailed, GateFailed) as exc:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"refused: {exc.message}"))
            if i == len(recipes) - 1:
                raise
            for left in sorted(set(stage.rglob("*")) - before, reverse=True):  # what is in a folder before the folder
                left.rmdir() if left.is_dir() else left.unlink()
            tell(f"{_spoken(recipe)} was refused ({exc.message}); trying {_spoken(recipes[i + 1])}", 0, 0)
        else:
            attempts.append(Attempt(recipe=recipe_facts(recipe), outcome=f"taken: {accepted.verdict.verdict}"))
            return accepted
    raise AssertionError("a job has at least one recipe")


def _smallest(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: _Reference,
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> Job:
    """`job`, with the smallest recipe of the ladder that passes the gate. What was found of each stays in the bundle.

    Raises:
        GateFailed: none passes.
    """
    assert job.model.evaluation is not None
    # Every one is measured, so none may be refused for what it loses.
    open_ = replace(job, model=replace(job.model, evaluation=replace(job.model.evaluation, drop=float("inf"))))

    def attempt(recipe: Recipe) -> tuple[Path, Verdict]:
        place = work / f"frontier-{recipe.precision}"
        (place / golden_input).parent.mkdir(parents=True)
        shutil.copyfile(stage / golden_input, place / golden_input)
        tried = _attempt(open_, checkpoint, facts, reference, recipe, golden_input, place, work, tell)
        return place / tried.artifacts[0].file, tried.verdict

    recipes = [
        replace(recipe, options={**job.recipe.options, **recipe.options})
        for recipe in job.model.ladder
        if not fitting.excess(job.model, job.target, recipe)
    ]
    points = [frontier.measure(recipe, attempt, job.model.evaluation, tell) for recipe in recipes]
    chosen = frontier.smallest(points, job.model.evaluation)
    frontier.write(points, chosen, stage)
    return replace(job, recipe=next(recipe for recipe in recipes if recipe.precision == chosen))


def _recipes(job: Job) -> list[Recipe]:
    """The recipe that was asked for, then those of the model's ladder that come after it and fit the target."""
    if not job.fallback:
        return [job.recipe]
    ladder = [recipe for recipe in job.model.ladder if recipe.exporter == job.recipe.exporter]
    ladder = [recipe for recipe in ladder if not fitting.excess(job.model, job.target, recipe)]
    same = [i for i, recipe in enumerate(ladder) if recipe.precision == job.recipe.precision]
    return [job.recipe, *(recipe for recipe in ladder[same[0] :] if recipe != job.recipe)] if same else [job.recipe]


def _attempt(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    reference: _Reference,
    recipe: Recipe,
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> _Accepted:
    """Export with one recipe, and prove it.

    Raises:
        ParityFailed: a part is further from the reference than the precision explains. GateFailed: it is less accurate.
    """
    exporter = find("exporters", recipe.exporter)
    artifacts = exporter.export(job.model, checkpoint, recipe, reference.calibration, stage, work, tell)
    runners = {artifact.part: exporter.load(stage / artifact.file, usable_processors()) for artifact in artifacts}
    parity = {}
    for part, runner in runners.items():
        tell(f"parity of {part}", 0, 0)
        parity[part] = error = part_error(runner, reference.recorders[part].calls)
        if not error <= (limit := limit_of(recipe.precision)):
            raise ParityFailed(
                f"the part {part!r} in {recipe.precision} is {error:.1%} away from the fp32 reference on real input; "
                f"the precision explains {limit:.1%}.",
                hint="Try another --precision.",
            )
    specs = {part: (runner.inputs, runner.outputs) for part, runner in runners.items()}
    recorders = {part: Recorder(runner, keep=2) for part, runner in runners.items()}
    predictor = job.model.pipeline(recorders, stage, facts)
    output = golden.answer(predictor, stage / golden_input)
    golden.compare(recorders, reference.golden, recipe.precision)  # as `verify` will
    for recorder in recorders.values():
        recorder.close()
    scores = _scores(job, predictor, work, f"measuring {recipe.precision}", tell)
    verdict = _judged(job, scores, reference, recipe)
    facts = _operated(job, scores, facts)
    if "operating_point" in facts:  # another threshold, perhaps another answer
        output = golden.answer(job.model.pipeline(runners, stage, facts), stage / golden_input)
    artifacts = [_timed(exporter, artifact, stage, work, recipe, reference.calibration, tell) for artifact in artifacts]
    return _Accepted(recipe, artifacts, parity, specs, output, verdict, facts)


def _scores(
    job: Job, predictor: Predictor, work: Path, what: str, tell: Progress, *, reference: bool = False
) -> Sequence[Any]:
    """What the candidate (or the reference) says of every sample of the data; empty where nobody asks.

    Without a metric nobody asks the reference: an operating point is the candidate's, and may take hours of sound.
    """
    if job.model.evaluation is None and (reference or job.model.operate is None):
        return []
    if texts.applies(job.model):
        return texts.scores(predictor, job.samples, work, tell, what, reference=reference)
    return answers(predictor, job.samples, lambda i, n: tell(what, i, n))


def _judged(job: Job, scores: Sequence[Any], reference: _Reference, recipe: Recipe) -> Verdict:
    """The gate's verdict. Raises GateFailed where it is a refusal."""
    if job.model.evaluation is None:
        return not_measured(f"{job.model.name} declares no metric")
    if not job.samples:
        return not_measured("no --data was given")
    truths, names = [sample.truth for sample in job.samples], [sample.name for sample in job.samples]
    if texts.applies(job.model):
        verdict = texts.judge(job.model.evaluation, scores, reference.answers, job.data)
    else:
        verdict = judge(job.model.evaluation, scores, reference.answers, truths, job.data, names)
    if verdict.verdict == "fail":
        raise GateFailed(f"{job.model.name} in {_spoken(recipe)}: {verdict.reason}.", hint="Try another --precision.")
    return verdict


def _operated(job: Job, scores: Sequence[Any], facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """`facts` with the operating point that the candidate's own scores give, where there is data to tell it by."""
    truths = [sample.truth for sample in job.samples]
    if job.model.operate is None or not truths or any(truth is None for truth in truths):
        return facts
    found = dict(job.model.operate(scores, truths, job.operating))
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
    """The artefact, with what a call of it takes beside its fp32 form on this machine."""
    if recipe.precision in ("fp32", "fp16"):
        return artifact
    tell(f"comparing {artifact.part} with its fp32 form", 0, 0)
    found = speed.against_fp32(exporter, artifact, stage, work, calibration[artifact.part])
    return replace(artifact, census={**artifact.census, "speed": found}) if found else artifact


def _spoken(recipe: Recipe) -> str:
    options = ", ".join(f"{name} {value}" for name, value in recipe.options.items())
    return f"{recipe.exporter} {recipe.precision}" + (f" ({options})" if options else "")
