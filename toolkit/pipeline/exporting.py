"""`export`, the main job, read top to bottom.

fit → fetch → read → trace the fp32 reference on a real input → for each recipe on the ladder: export, parity, gate →
golden files, licences, SBOM → manifest → swap into place.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from edgekit.bench import metrics
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import load
from edgekit.bundles.staging import peek, replaceable, staging_folder
from edgekit.core import Bundle, Facts, Progress, Source
from edgekit.errors import BadInput, ExportFailed, Unsupported, boundary
from edgekit.estimation import budgets
from edgekit.estimation.recipes import takers
from edgekit.gate.judges import Looks
from edgekit.pipeline.adapting import weights_with_adapter
from edgekit.pipeline.job import Asked, Job, Run, accept_fields
from edgekit.pipeline.resolving import job_of, read, weights_of
from edgekit.pipeline.reuse import already, key_of
from edgekit.pipeline.search.journal import journal_of
from edgekit.pipeline.search.pooled import check_pool
from edgekit.pipeline.writing import make
from edgekit.runtimes.resolved import add_format


@accept_fields(Asked)
def export(asked: Asked) -> Bundle:
    """Make a bundle of `model` for `target`, refuse it if it is bad, and put it at `out`.

    Args:
        model: a name of `edgekit list models`, or a source: hf://ORG/MODEL, a Hugging Face folder, FILE.py:build, a
            .onnx, .pt2 or .tflite.
        task, dynamic, trust_code, metric: of such a source, see `edgekit.core.ImportOptions`.
        evidence: True: edgekit's own samples of the task calibrate (without `calibration`) and judge. A data folder:
            its samples do so in their place. "edgekit:full": more samples, which are fetched. False: nothing is judged.
        precision, runtime: replace the target's default recipe for the model's task. The precision "auto" searches:
            it tries what the format offers and takes the smallest recipe that passes within `limits`.
        exporter: an alias of `runtime` for this release: a format stands for the first runtime that takes it.
        weights: the user's own checkpoint: a path, or hf://, https:// or pypi://.
        adapter: folder of a LoRA adapter in PEFT's form, merged into the weights.
        calibration: a data folder whose samples are used for calibration, beside the golden input.
        data: a data folder for the gate. Without it, accuracy is "not measured".
        out: folder of the bundle; default: MODEL-TARGET-PRECISION in the current folder, with the board in place of the
            target where that has an accelerator. An earlier bundle is replaced
            only by a finished bundle; a bundle of another model or target only with `force`.
        offline, mirror: as for `edgekit.sources.fetch`.
        fallback: when a recipe fails parity or gate, try the next on the format's ladder; and the target's runtime for
            every task, where its own for this one cannot convert the model.
        options: of the recipe (``{"weights": "per-tensor"}``), added to the default recipe's.
        max_kld: maximum KL divergence from the reference, in nats per token, for a language model.
        limits: of a search (`edgekit.Limits`): size, latency, loss, minutes. They imply the precision "auto".
        accept_terms: names of accepted terms of use; EDGEKIT_ACCEPT_TERMS adds more.
        force: replace even a bundle of another model or target.
        operating: the goal by which a threshold is chosen on `data` (``{"false_alarms_per_hour": 0.5}``).
        workers: ``dask://HOST:PORT`` of a pool of machines that try the recipes of a search.
        board, flash, ram, download: budgets (bytes) in place of the target's own, see `budgets.replace_budgets`. A
            board with an accelerator names its runtime, too.
        require_placed: least share (0 to 1) of each part's multiplications that must be on the accelerator.

    Returns:
        The bundle; ``reused`` is True if `out` already held the bundle of the same sources, recipe and versions.

    Raises:
        UnknownName, Unsupported, BadInput, MissingExtra, FetchFailed, ExportFailed, ParityFailed, GateFailed,
        OverBudget, DeviceFailed: see `edgekit.errors`.
    """
    job, place = _resolve_job(asked)
    if (other := _general_runtime(job)) is None:
        return _export(job, place, asked)
    general = replace(asked, runtime=other)
    if (bundle := _reuse(general)) is not None:
        return bundle
    try:
        return _export(job, place, asked)
    except ExportFailed as exc:
        asked.tell(f"{job.recipe.runtime} was refused ({exc.message.rstrip('.')}); trying {other}", 0, 0)
        return _export(*_resolve_job(general), general)


@accept_fields(Asked)
def outline(asked: Asked) -> Facts:
    """What `export` would do with the same arguments, without any download of weights, JSON-able: every name resolved,
    the recipes in the order in which they would be tried, and the estimates of `fit`.

    Raises:
        As `export`, for what can be known before.
    """
    job, place = _resolve_job(asked)
    own = job.model.weights
    tried = job.recipes_to_try(job.limits.size_budget).values() if job.limits else job.recipes()
    return {
        "model": job.model.name,
        "importer": job.model.identity.importer,
        "task": job.model.task.name,
        "target": job.target.name,
        "search": asdict(job.limits) if job.limits else {},
        "recipes": [asdict(recipe) for recipe in tried],
        "parts": [part.name for part in job.model.network.parts],
        "weights": asked.weights or (own.sources[0].uri if own.sources else own.hub),
        "evidence": job.evidence.name if job.evidence else f"none ({job.no_evidence})",
        "calibration": len(job.calibration) or (f"half of {job.evidence.name}" if job.evidence else "golden input"),
        "data": job.data or "none",
        "size": budgets.expected_size(job.model, job.recipe),
        "ram": job.model.costs.memory(job.recipe),
        "out": str(place),
    }


def _general_runtime(job: Job) -> str | None:
    """The target's runtime for every task, where the job has another one by default for its own: what that cannot
    convert, this may."""
    asked, general = job.asked, job.target.recipes.get("*")
    if general is None or not asked.fallback or asked.runtime or asked.exporter or asked.board or job.limits:
        return None
    usual = job.target.recipes.get(job.model.task.name, general).runtime
    differs = job.recipe.runtime == usual != general.runtime
    return general.runtime if differs and add_format(general).exporter in takers(job.model) else None


def _reuse(asked: Asked) -> Bundle | None:
    """The bundle that is there already of what `asked` asks; None where none is."""
    with contextlib.suppress(Unsupported):
        job, place = _resolve_job(asked)
        earlier = peek(replaceable(place))
        if earlier is not None and earlier.recipe.runtime == asked.runtime:
            with boundary():
                weights, _ = weights_of(job, asked.weights, asked.tell)
                return already(place, key_of(job, weights)) if not asked.adapter else None
    return None


def _resolve_job(asked: Asked) -> tuple[Job, Path]:
    """The job, and the place of its bundle, which may be replaced."""
    # A torch for CUDA warns that the compiler for graphics processors is absent: the locks leave it out.
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    job = job_of(asked)
    called = "auto" if job.limits else job.recipe.precision
    where = job.board.name if job.board and job.board.runtime else job.target.name
    place = Path(asked.out).expanduser() if asked.out else Path(f"{job.model.name}-{where}-{called}")
    there = replaceable(place)
    if not asked.force:
        _check_same(there, place, job)
    return job, place


def _export(job: Job, place: Path, asked: Asked) -> Bundle:
    """The bundle at `place`, made now or reused."""
    with boundary():
        weights, source = weights_of(job, asked.weights, asked.tell)
        with weights_with_adapter(weights, asked.adapter, place, asked.tell) as (folder, adapter):
            return _make_bundle(replace(job, adapter=adapter), place, folder, source, asked.tell)


def _make_bundle(job: Job, place: Path, weights: Path, source: Source | None, tell: Progress) -> Bundle:
    key = key_of(job, weights)
    if (bundle := already(place, key)) is not None and _is_metric_unchanged(job, bundle, tell):
        return bundle
    check_pool(job)  # before anything long begins
    job, checkpoint = read(job, weights, tell)
    # Intermediates lie beside the bundle: the system's folder for temporary files is often memory.
    with staging_folder(place) as stage, tempfile.TemporaryDirectory(prefix=f"{stage.name}-", dir=stage.parent) as work:
        make(Run(job, checkpoint, source, key, stage, Path(work), place.absolute(), tell))
        budgets.check_size(job.target, sum(p.stat().st_size for p in stage.rglob("*") if p.is_file()))
    if job.limits:
        journal_of(place.absolute()).unlink(missing_ok=True)
    return open_bundle(place)


def _is_metric_unchanged(job: Job, bundle: Bundle, tell: Progress) -> bool:
    """Whether a metric of the user's gives the bundle the value of its manifest again: files and variables that such a
    function reads are in no key. Raises BadInput where the function fails now."""
    evaluation, value = job.model.task.evaluation, bundle.manifest.gate.value
    if evaluation is None or value is None or job.judge.searches or not metrics.find(evaluation.metric).own:
        return True
    looks = Looks(f"measuring {evaluation.metric} again", tell)
    scores = job.judge.scores(load(bundle.path, hashes=False), job.samples, looks)
    return job.judge.absolute(evaluation, scores, job.samples, job.data).value == value


def _check_same(there: Path, place: Path, job: Job) -> None:
    """Raise BadInput if `there` is a bundle of another model or target: only `force` replaces it."""
    earlier = peek(there)
    if earlier is None or (earlier.model.name, earlier.target.name) == (job.model.name, job.target.name):
        return
    source = job.asked.model
    again = f"edgekit export {shlex.quote(source)} --target {job.target.name} --out {shlex.quote(str(place))} --force"
    raise BadInput(
        f"{place} holds a bundle of {earlier.model.name} for {earlier.target.name}; it will not be replaced by a "
        f"bundle of {job.model.name} for {job.target.name}.",
        hint=f"Choose another --out, or replace it: {again}",
    )
