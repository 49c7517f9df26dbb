"""Making a bundle: climb the ladder of recipes, write all that the bundle says about itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import edgekit
from edgekit import fitting, frontier, gate, golden, sbom, texts
from edgekit.bench import host
from edgekit.bundle import inventory
from edgekit.core import (
    Checkpoint,
    Model,
    Progress,
    Recipe,
    Source,
)
from edgekit.errors import BadInput, GateFailed, ParityFailed
from edgekit.facts import part_facts, recipe_facts, source_facts, target_facts
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
from edgekit.proving import Accepted, prove, spoken
from edgekit.readme import render as readme
from edgekit.sources import fetch
from edgekit.tracing import Job, Reference, trace

if TYPE_CHECKING:
    pass

#: Distributions whose versions decide what an export does.
TOOLS = (
    *("torch", "onnx", "onnxscript", "onnxruntime", "tokenizers", "numpy"),
    *("tflite-micro", "litert-torch", "ai-edge-quantizer", "executorch", "torchao", "llama-cpp-python"),
)


def make(
    job: Job, checkpoint: Checkpoint, source: Source | None, key: str, stage: Path, work: Path, tell: Progress
) -> None:
    """Fill the folder `stage` with a whole bundle.

    Raises:
        ParityFailed, GateFailed: every recipe of the ladder was refused; the last refusal. ExportFailed, BadInput, ...
    """
    beside = checkpoint.path if checkpoint.path.is_dir() else checkpoint.path.parent
    _assets(job, beside, stage, tell)
    facts = job.model.prepare(checkpoint, stage)
    golden_input = golden.write_input(job.model, stage)
    reference = trace(job, checkpoint, facts, golden_input, stage, work, tell)
    _check_reference(job, reference)
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


def _check_reference(job: Job, reference: Reference) -> None:
    """Raise GateFailed where the reference itself misses the bar: no recipe could do better, so none is tried."""
    if job.model.evaluation is None or not job.samples:
        return
    if texts.applies(job.model):
        missed = texts.reference_misses(job.model.evaluation, reference.answers)
    else:
        truths = [sample.truth for sample in job.samples]
        missed = gate.reference_misses(job.model.evaluation, reference.answers, truths, reference.languages)
    if missed:
        raise GateFailed(
            f"{job.model.name}: the fp32 reference itself misses the bar on {job.data}: {missed}. No recipe was tried.",
            hint="Look at the right answers in --data (see docs/data.md), or take other weights: --weights PATH",
        )


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


def _assets(job: Job, folder: Path, stage: Path, tell: Progress) -> None:
    """Copy the files that a bundle carries as they are; where the user's weights lack one, take the model's own."""
    model = job.model
    for name in model.assets:
        held = folder / name
        if not held.is_file():
            pinned = next((file for source in model.sources for file in source.files if file.name == name), None)
            if pinned is None:
                raise BadInput(f"the weights in {folder} lack {name}, which {model.name} needs beside them.")
            only = Source(model.sources[0].uri, model.sources[0].revision, model.licence, (pinned,))
            held = fetch([only], offline=job.offline, mirror=job.mirror, progress=tell)[0] / name
        shutil.copyfile(held, stage / name)


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
    assert job.model.evaluation is not None
    # Every one is measured, so none may be refused for what it loses.
    open_ = replace(job, model=replace(job.model, evaluation=replace(job.model.evaluation, drop=float("inf"))))

    def attempt(recipe: Recipe) -> tuple[Path, Verdict]:
        place = work / f"frontier-{recipe.precision}"
        (place / golden_input).parent.mkdir(parents=True)
        shutil.copyfile(stage / golden_input, place / golden_input)
        tried = prove(open_, checkpoint, facts, reference, recipe, golden_input, place, work, tell)
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
