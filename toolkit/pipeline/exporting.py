"""`export`, the main job, read top to bottom.

fit → fetch → read → trace the fp32 reference on a real input → for each recipe on the ladder: export, parity, gate →
golden files, licences, SBOM → manifest → swap into place.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.staging import peek, replaceable, staged
from edgekit.core import Bundle, Checkpoint, ImportOptions, Model, Progress, Source, Target, serving
from edgekit.errors import BadInput, FetchFailed, Unsupported, boundary
from edgekit.estimation import budgets, recipes
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.gate.judges import Judge, judge_of
from edgekit.importers.resolved import model_of
from edgekit.pipeline.adapting import adapted
from edgekit.pipeline.evidence import chosen, of_the_user
from edgekit.pipeline.job import Job, Run
from edgekit.pipeline.reuse import already, key_of
from edgekit.pipeline.search.limits import Limits, limits_of
from edgekit.pipeline.terms import check_terms
from edgekit.pipeline.writing import make
from edgekit.registry import find
from edgekit.sources import fetch, user_source
from edgekit.tasks.resolved import samples_of


@dataclass(frozen=True)
class Asked:
    """The user's request, in names and paths: the arguments of `export`."""

    model: str
    target: str = "laptop"
    precision: str | None = None
    exporter: str | None = None
    weights: str | None = None
    adapter: str | None = None
    calibration: str | Path | None = None
    data: str | Path | None = None
    out: str | Path | None = None
    offline: bool = False
    mirror: str | Path | None = None
    fallback: bool = True
    options: Mapping[str, Any] | None = None
    operating: Mapping[str, Any] | None = None
    max_kld: float | None = None
    limits: Limits | None = None
    task: str = ""
    dynamic: Mapping[str, tuple[int, int]] | None = None
    trust_code: bool = False
    metric: str = ""
    evidence: bool = True
    accept_terms: Sequence[str] = ()
    force: bool = False
    board: str | None = None
    flash: int | None = None
    ram: int | None = None
    download: int | None = None
    progress: Progress | None = None

    def tell(self, what: str, done: int, total: int) -> None:
        """Progress, if it is wanted."""
        if self.progress is not None:
            self.progress(what, done, total)


def export(
    model: str,
    target: str = "laptop",
    *,
    precision: str | None = None,
    exporter: str | None = None,
    weights: str | None = None,
    adapter: str | None = None,
    calibration: str | Path | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    offline: bool = False,
    mirror: str | Path | None = None,
    fallback: bool = True,
    options: Mapping[str, Any] | None = None,
    operating: Mapping[str, Any] | None = None,
    max_kld: float | None = None,
    limits: Limits | None = None,
    task: str = "",
    dynamic: Mapping[str, tuple[int, int]] | None = None,
    trust_code: bool = False,
    metric: str = "",
    evidence: bool = True,
    accept_terms: Sequence[str] = (),
    force: bool = False,
    board: str | None = None,
    flash: int | None = None,
    ram: int | None = None,
    download: int | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Make a bundle of `model` for `target`, refuse it if it is bad, and put it at `out`.

    Args:
        model: a name of `edgekit list models`, or a source: hf://ORG/MODEL, a Hugging Face folder, FILE.py:build, a
            .onnx, .pt2 or .tflite.
        task, dynamic, trust_code, metric: of such a source, see `edgekit.core.ImportOptions`.
        evidence: calibrate and judge on the task's own samples where `calibration` and `data` give none.
        precision, exporter: replace the target's default recipe for the model's task. The precision "auto" searches:
            it tries what the exporter offers and takes the smallest recipe that passes within `limits`.
        weights: the user's own checkpoint: a path, or hf://, https:// or pypi://.
        adapter: folder of a LoRA adapter in PEFT's form, merged into the weights.
        calibration: a data folder whose samples are used for calibration, beside the golden input.
        data: a data folder for the gate. Without it, accuracy is "not measured".
        out: folder of the bundle; default: MODEL-TARGET-PRECISION in the current folder. An earlier bundle is replaced
            only by a finished bundle; a bundle of another model or target only with `force`.
        offline, mirror: as for `edgekit.sources.fetch`.
        fallback: when a recipe fails parity or gate, try the next on the model's ladder.
        options: of the recipe (``{"weights": "per-tensor"}``), added to the default recipe's.
        max_kld: maximum KL divergence from the reference, in nats per token, for a language model.
        limits: of a search (`edgekit.Limits`): size, latency, loss, minutes. They imply the precision "auto".
        accept_terms: names of accepted terms of use; EDGEKIT_ACCEPT_TERMS adds more.
        force: replace even a bundle of another model or target.
        operating: the goal by which a threshold is chosen on `data` (``{"false_alarms_per_hour": 0.5}``).
        board, flash, ram, download: budgets (bytes) in place of the target's own, see `budgets.budgeted`.

    Returns:
        The bundle; ``reused`` is True if `out` already held the bundle of the same sources, recipe and versions.

    Raises:
        UnknownName, Unsupported, BadInput, MissingExtra, FetchFailed, ExportFailed, ParityFailed, GateFailed,
        OverBudget: see `edgekit.errors`.
    """
    asked = Asked(**locals())
    job, place = _resolved(asked)
    return _export(job, place, asked)


def outline(model: str, target: str = "laptop", **options: Any) -> dict[str, Any]:
    """What `export` would do with the same arguments, without any download of weights, JSON-able: every name resolved,
    the recipes in the order in which they would be tried, and the estimates of `fit`.

    Raises:
        As `export`, for what can be known before.
    """
    job, place = _resolved(Asked(model, target, **options))
    own = job.model.weights
    return {
        "model": job.model.name,
        "importer": job.model.identity.importer,
        "task": job.model.task.name,
        "target": job.target.name,
        "search": asdict(job.limits) if job.limits else {},
        "recipes": [asdict(recipe) for recipe in (job.offered().values() if job.limits else job.recipes())],
        "parts": [part.name for part in job.model.network.parts],
        "weights": options.get("weights") or (own.sources[0].uri if own.sources else own.hub),
        "evidence": job.evidence.name if job.evidence else f"none ({job.no_evidence})",
        "calibration": len(job.calibration) or (f"half of {job.evidence.name}" if job.evidence else "golden input"),
        "data": job.data or "none",
        "size": job.model.costs.size(job.recipe),
        "ram": job.model.costs.memory(job.recipe),
        "out": str(place),
    }


def _resolved(asked: Asked) -> tuple[Job, Path]:
    """The job, and the place of its bundle, which may be replaced."""
    goal = budgets.budgeted(find("targets", asked.target), asked.board, asked.flash, asked.ram, asked.download)
    with boundary():
        job = _job(asked, goal)
    check_terms(job.model, asked.accept_terms)
    called = "auto" if job.limits else job.recipe.precision
    place = Path(asked.out).expanduser() if asked.out else Path(f"{job.model.name}-{job.target.name}-{called}")
    there = replaceable(place)
    if not asked.force:
        _check_same(there, place, job)
    return job, place


def _export(job: Job, place: Path, asked: Asked) -> Bundle:
    """The bundle at `place`, made now or reused."""
    with boundary():
        weights, source = _weights(job, asked.weights, asked.tell)
        with adapted(weights, asked.adapter, place, asked.tell) as (folder, adapter):
            return _made(replace(job, adapter=adapter), place, folder, source, asked.tell)


def _made(job: Job, place: Path, weights: Path, source: Source | None, tell: Progress) -> Bundle:
    key = key_of(job, weights)
    if (bundle := already(place, key)) is not None:
        return bundle
    job.exporter.require()
    checkpoint = _with_companions(read_checkpoint(weights), job, tell)
    job = _settled(job, checkpoint, tell)
    # Intermediates lie beside the bundle: the system's folder for temporary files is often memory.
    with staged(place) as stage, tempfile.TemporaryDirectory(prefix=f"{stage.name}-", dir=stage.parent) as work:
        make(Run(job, checkpoint, source, key, stage, Path(work), place.absolute(), tell))
        budgets.check_size(job.target, sum(p.stat().st_size for p in stage.rglob("*") if p.is_file()))
    return open_bundle(place)


def _with_companions(checkpoint: Checkpoint, job: Job, tell: Progress) -> Checkpoint:
    """`checkpoint` with the other models' weights that the declaration names."""
    pinned = job.model.weights.companions
    folders = {
        name: fetch([source], offline=job.offline, mirror=job.mirror, progress=tell)[0]
        for name, source in pinned.items()
    }
    return replace(checkpoint, companions={name: read_checkpoint(folder) for name, folder in folders.items()})


def _settled(job: Job, checkpoint: Checkpoint, tell: Progress) -> Job:
    """`job`; without a precision of the user's, weights that are quantized already are not quantized to no avail."""
    recipes = () if job.named else job.exporter.settled(job.model, checkpoint, job.recipe)
    if not recipes:
        return job
    tell(f"the weights are {recipes[-1].precision} already, and no {job.recipe.precision} is made of them", 0, 0)
    return replace(job, recipe=recipes[0], settled=tuple(recipes))


def _check_same(there: Path, place: Path, job: Job) -> None:
    """Raise BadInput if `there` is a bundle of another model or target: only `force` replaces it."""
    earlier = peek(there)
    if earlier is None or (earlier.model.name, earlier.target.name) == (job.model.name, job.target.name):
        return
    again = f"edgekit export {job.model.name} --target {job.target.name} --out {place} --force"
    raise BadInput(
        f"{place} holds a bundle of {earlier.model.name} for {earlier.target.name}; it will not be replaced by a "
        f"bundle of {job.model.name} for {job.target.name}.",
        hint=f"Choose another --out, or replace it: {again}",
    )


def _job(asked: Asked, target: Target) -> Job:
    """Resolve every name and open every folder before anything long begins."""
    about = ImportOptions(asked.task, asked.dynamic or {}, asked.trust_code, asked.metric, asked.offline)
    declared = model_of(asked.model, about, asked.tell)
    judge = judge_of(declared)
    limits = limits_of(asked.precision, asked.limits)
    recipe = recipes.recipe_for(declared, target, None if limits else asked.precision, asked.exporter)
    recipe = replace(recipe, options={**recipe.options, **(asked.options or {})})
    declared = serving(declared, recipe.exporter)
    exporter = find("exporters", recipe.exporter)
    exporter.check_recipe(declared, recipe)
    budgets.check(declared, target, recipe)
    _check_operating(declared, asked)
    samples, calibration = (
        samples_of(declared, judge.folder(path, option)) if path else ()
        for path, option in ((asked.data, "data"), (asked.calibration, "calibration"))
    )
    evidence, no_evidence = chosen(declared, asked.evidence)
    if limits and not samples and (judge.searches or not (evidence or calibration)):
        raise BadInput(
            f"a search needs real samples to judge by, and {declared.name} has none.",
            hint="Add --data " + ("TEXT.txt" if judge.searches else "DIR; see docs/data.md."),
        )
    own = of_the_user(evidence, calibration, Path(asked.calibration or "").name)
    calibration = calibration if own is evidence else calibration[: len(calibration) // 2]
    return Job(
        model=_allowing(declared, judge, asked.max_kld),
        target=target,
        recipe=recipe,
        exporter=exporter,
        judge=judge,
        calibration=calibration,
        samples=samples,
        data=Path(asked.data).name if asked.data else "",
        operating=asked.operating or {},
        offline=asked.offline,
        mirror=asked.mirror,
        fallback=asked.fallback,
        limits=limits,
        named=asked.precision is not None,
        evidence=own,
        no_evidence=no_evidence,
    )


def _allowing(model: Model, judge: Judge, max_kld: float | None) -> Model:
    """`model` with the user's maximum KL divergence. Raises BadInput for a model that has no such limit."""
    if max_kld is None:
        return model
    if model.task.evaluation is None or not judge.searches:
        raise BadInput(f"{model.name} is not judged by a KL divergence.", hint="--max-kld goes with language models.")
    if not 0 < max_kld < float("inf"):
        raise BadInput(f"a KL divergence of at most {max_kld:g} nats makes no sense.", hint="Such as --max-kld 0.05")
    return replace(model, task=replace(model.task, evaluation=replace(model.task.evaluation, drop=max_kld)))


def _check_operating(model: Model, asked: Asked) -> None:
    """Raise Unsupported for a model without a threshold, BadInput without data to choose a threshold on."""
    if asked.operating and model.task.operate is None:
        raise Unsupported(f"{model.name} has no threshold that could be chosen.")
    if asked.operating and asked.data is None:
        raise BadInput("a threshold is chosen on real samples; there are none.", hint="Add --data DIR.")


def _weights(job: Job, weights: str | None, tell: Progress) -> tuple[Path, Source | None]:
    """The folder or file of the weights, and the source it came from (None for a local path of the user's)."""
    own = job.model.weights
    if weights is None and own.sources:
        return fetch(own.sources, offline=job.offline, mirror=job.mirror, progress=tell)
    if weights is None and not own.hub:
        raise FetchFailed(f"no source of weights is known for {job.model.name}.", hint="Give yours: --weights PATH")
    chosen = user_source(weights or own.hub, offline=job.offline)
    if isinstance(chosen, Path):
        return chosen, None
    return fetch([chosen], offline=job.offline, mirror=job.mirror, progress=tell)
