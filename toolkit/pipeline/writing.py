"""Making a bundle: export by the first recipe that passes, then write golden files, licences, SBOM and manifest."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec

import edgekit
from edgekit.bundles import golden, sbom
from edgekit.bundles.bundle import inventory
from edgekit.bundles.facts import part_facts, recipe_facts, source_facts, target_facts
from edgekit.bundles.manifest import NAME, SCHEMA, Golden, Manifest, ModelFacts, encode
from edgekit.bundles.readme import render as readme
from edgekit.common import package_data
from edgekit.core import Model, Source
from edgekit.errors import BadInput, GateFailed
from edgekit.pipeline.climbing import climb
from edgekit.pipeline.job import Job, Run
from edgekit.pipeline.search.smallest import smallest
from edgekit.pipeline.tracing import Reference, trace
from edgekit.sources import fetch


def make(run: Run) -> None:
    """Fill the folder `run.stage` with a whole bundle.

    Raises:
        ParityFailed, GateFailed: the last refusal, if every recipe was refused. ExportFailed, BadInput, ...
    """
    run = prepare_run(run)
    job, model, stage = run.job, run.job.model, run.stage
    reference = trace(run)
    _check_reference(job, reference)
    licence, outputs = shared_files(run, reference)
    if job.limits is not None:
        run = smallest(run, reference, job.limits)
    accepted, attempts = climb(run, reference)
    run.tell("writing the bundle", 0, 0)
    manifest = Manifest(
        schema=SCHEMA,
        edgekit=edgekit.__version__,
        key=run.key,
        model=ModelFacts(
            name=model.name,
            family=model.identity.family,
            task=model.task.name,
            parameters=model.network.parameters,
            importer=model.identity.importer,
        ),
        source=source_facts(run.checkpoint, run.source),
        target=target_facts(job.target),
        recipe=recipe_facts(accepted.recipe),
        parts=[
            part_facts(artifact, accepted.specs[artifact.part], accepted.parity[artifact.part])
            for artifact in accepted.artifacts
        ],
        facts=dict(accepted.facts),
        golden=Golden(
            input=run.golden_input,
            reference=outputs,
            output=accepted.output,
            reference_output=reference.output,
            errors=dict(accepted.errors),
        ),
        gate=accepted.verdict,
        evidence=accepted.reference.facts(accepted.agreement, stage),
        attempts=attempts,
        licences={"weights": licence, "edgekit": "Apache-2.0", **job.runtime.terms},
        versions={"edgekit": edgekit.__version__, **run.job.tools()},
        files={},
    )
    (stage / "README.md").write_text(readme(manifest), encoding="utf-8")
    (stage / sbom.NAME).write_bytes(sbom.render(manifest, inventory(stage)))
    if job.target.pack:
        job.target.pack(stage)
    (stage / NAME).write_bytes(encode(msgspec.structs.replace(manifest, files=inventory(stage))))


def prepare_run(run: Run) -> Run:
    """`run` with the assets, the golden input and the facts of its model in the folder `run.stage`."""
    _assets(run)
    job, model, stage = run.job, run.job.model, run.stage
    facts = {**model.weights.prepare(run.checkpoint, stage), **({"adapter": job.adapter} if job.adapter else {})}
    return replace(run, facts=facts, golden_input=golden.write_input(model, stage))


def shared_files(run: Run, reference: Reference) -> tuple[str, str]:
    """Write the licence and the reference's outputs into `run.stage`: a trial of a search counts the size of what every
    recipe's bundle has. Returns the licence's name, and the outputs' file."""
    return _licence(run.job.model, run.source, run.stage), golden.write_reference(reference.golden, run.stage)


def _check_reference(job: Job, reference: Reference) -> None:
    """Raise GateFailed where the reference itself misses the bar: no recipe could do better, so none is tried."""
    if job.model.task.evaluation is None or not job.samples:
        return
    if missed := job.judge.describe_reference_miss(job.model.task.evaluation, reference.scores, job.samples):
        raise GateFailed(
            f"{job.model.name}: the fp32 reference itself misses the bar on {job.data}: {missed}. No recipe was tried.",
            hint="Look at the right answers in --data (see docs/data.md), or take other weights: --weights PATH",
        )


def _licence(model: Model, source: Source | None, stage: Path) -> str:
    """Write the licence of the weights into the bundle folder `stage`; returns its name.

    The declared licence holds for the declared sources only; other weights have their own.
    """
    text = package_data.read(model.identity.licence_text) if model.identity.licence_text else b""
    name = source.licence if source else "unknown"
    if model.identity.importer:
        name = model.identity.licence
        text = text or f"Licence of these weights, as their source states it: {name}.\n".encode()
    elif source not in model.weights.sources:
        text = (
            f"These weights are the bundle maker's own; their licence: {name}.\n"
            f"The published weights of {model.name} are under this licence ({model.identity.licence}):\n\n"
        ).encode() + text
    (stage / "licences").mkdir()
    (stage / "licences" / "weights.txt").write_bytes(text)
    return name


def _copy(file: Path, place: Path) -> None:
    """JSON without its white space, which is a third of a tokenizer; what is no JSON as it is: its reader will say."""
    if file.suffix == ".json":
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(file.read_bytes()), ensure_ascii=False, separators=(",", ":"))
            place.write_text(text, encoding="utf-8")
            return
    shutil.copyfile(file, place)


def _assets(run: Run) -> None:
    """Copy the model's assets into the bundle; files that the user's weights lack come from the model's sources."""
    job, model = run.job, run.job.model
    folder = run.checkpoint.path if run.checkpoint.path.is_dir() else run.checkpoint.path.parent
    for name in model.weights.assets:
        held, sources = folder / name, model.weights.sources
        if not held.is_file():
            pinned = next((file for source in sources for file in source.files if file.name == name), None)
            if pinned is None:
                raise BadInput(f"the weights in {folder} lack {name}, which {model.name} needs beside them.")
            only = Source(sources[0].uri, sources[0].revision, model.identity.licence, (pinned,))
            held = fetch([only], offline=job.asked.offline, mirror=job.asked.mirror, progress=run.tell)[0] / name
        _copy(held, run.stage / name)
