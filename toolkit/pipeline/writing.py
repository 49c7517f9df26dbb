"""Making a bundle: climb the ladder of recipes, write all that the bundle says about itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

import edgekit
from edgekit.bench.machine import host
from edgekit.bundles import golden, sbom
from edgekit.bundles.bundle import inventory
from edgekit.bundles.facts import part_facts, recipe_facts, source_facts, target_facts
from edgekit.bundles.manifest import NAME, SCHEMA, Attempt, Golden, Manifest, ModelFacts, encode
from edgekit.bundles.readme import render as readme
from edgekit.common import package_data
from edgekit.core import (
    Checkpoint,
    Model,
    Progress,
    Source,
)
from edgekit.errors import BadInput, GateFailed
from edgekit.gate import texts, verdicts
from edgekit.pipeline.climbing import _climb, _smallest
from edgekit.pipeline.job import Job
from edgekit.pipeline.tracing import Reference, trace
from edgekit.sources import fetch

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
    facts = job.model.weights.prepare(checkpoint, stage)
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
            name=job.model.name,
            family=job.model.identity.family,
            task=job.model.task.name,
            parameters=job.model.network.parameters,
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
    evaluation = job.model.task.evaluation
    if evaluation is None or not job.samples:
        return
    if texts.applies(job.model):
        missed = texts.reference_misses(evaluation, reference.answers)
    else:
        truths = [sample.truth for sample in job.samples]
        missed = verdicts.reference_misses(evaluation, reference.answers, truths, reference.languages)
    if missed:
        raise GateFailed(
            f"{job.model.name}: the fp32 reference itself misses the bar on {job.data}: {missed}. No recipe was tried.",
            hint="Look at the right answers in --data (see docs/data.md), or take other weights: --weights PATH",
        )


def _licence(model: Model, source: Source | None, stage: Path) -> str:
    """Put the licence of the weights into the bundle folder `stage`; returns its name.

    The declared licence holds for the declared sources. Whoever brings other weights brings their licence too.
    """
    text = package_data.read(model.identity.licence_text)
    name = source.licence if source else "unknown"
    if source not in model.weights.sources:
        text = (
            f"These weights were given by whoever made this bundle; their licence: {name}.\n"
            f"The published weights of {model.name} are under this one ({model.identity.licence}):\n\n"
        ).encode() + text
    (stage / "licences").mkdir()
    (stage / "licences" / "weights.txt").write_bytes(text)
    return name


def _assets(job: Job, folder: Path, stage: Path, tell: Progress) -> None:
    """Copy the files that a bundle carries as they are; where the user's weights lack one, take the model's own."""
    model = job.model
    for name in model.weights.assets:
        held = folder / name
        if not held.is_file():
            pinned = next(
                (file for source in model.weights.sources for file in source.files if file.name == name), None
            )
            if pinned is None:
                raise BadInput(f"the weights in {folder} lack {name}, which {model.name} needs beside them.")
            only = Source(
                model.weights.sources[0].uri, model.weights.sources[0].revision, model.identity.licence, (pinned,)
            )
            held = fetch([only], offline=job.offline, mirror=job.mirror, progress=tell)[0] / name
        shutil.copyfile(held, stage / name)
