"""From a request to a job: every name resolved, every folder opened, the weights fetched and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.core import Board, Checkpoint, ImportOptions, Model, Progress, Recipe, Source, Target
from edgekit.errors import BadInput, FetchFailed, Unsupported, boundary
from edgekit.estimation import budgets, recipes
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.gate.evidence import split
from edgekit.gate.judges import Judge, judge_of
from edgekit.importers.resolved import model_of
from edgekit.pipeline.evidence import check_apart, choose_evidence, of_the_user
from edgekit.pipeline.job import Asked, Job
from edgekit.pipeline.search.limits import Limits, limits_of
from edgekit.pipeline.terms import check_terms
from edgekit.pool import client
from edgekit.registry import find, serving
from edgekit.sources import fetch, user_source
from edgekit.tasks.resolved import samples_of


def job_of(asked: Asked) -> Job:
    """Resolve every name and open every folder before anything long begins. Raises as `export`."""
    target = budgets.replace_budgets(find("targets", asked.target), asked.board, asked.flash, asked.ram, asked.download)
    with boundary():
        job = _job(asked, target)
    check_terms(job.model, asked.accept_terms)
    return job


def _job(asked: Asked, target: Target) -> Job:
    about = ImportOptions(asked.task, asked.dynamic or {}, asked.trust_code, asked.metric, asked.offline)
    declared = model_of(asked.model, about, asked.tell)
    judge = judge_of(declared)
    limits = limits_of(asked.precision, asked.limits)
    _check_workers(asked, limits)
    board = target.boards[asked.board.lower()] if asked.board else None
    runtime = recipes.named_runtime(target, asked.runtime, asked.exporter, asked.board)
    _check_placed(target, board, runtime, asked)
    recipe = recipes.recipe_for(declared, target, None if limits else asked.precision, runtime)
    recipe = replace(recipe, options={**recipe.options, **(asked.options or {})})
    declared = serving(declared, recipe.exporter)
    exporter = find("exporters", recipe.exporter)
    exporter.check_recipe(declared, recipe)
    _check_share(target, recipe, asked)
    budgets.check(declared, target, recipe)
    _check_operating(declared, asked)
    samples, calibration = (
        samples_of(declared, judge.folder(path, option)) if path else ()
        for path, option in ((asked.data, "data"), (asked.calibration, "calibration"))
    )
    fewest = declared.task.evaluation.minimum if declared.task.evaluation else 0
    samples, choosing = (samples, len(samples)) if judge.searches else split(samples, fewest)
    check_apart(("calibration", calibration), ("data", samples))
    evidence, no_evidence = choose_evidence(declared, judge, asked, calibration, samples)
    real = calibration or (evidence and not evidence.synthetic)
    if limits and not samples and (judge.searches or not real):
        raise BadInput(
            f"a search needs real samples to judge by, and {declared.name} has none.",
            hint="Add --data " + ("TEXT.txt" if judge.searches else "DIR; see docs/data.md."),
        )
    own = of_the_user(evidence, calibration, Path(asked.calibration or "").name)
    calibration = calibration if own is evidence else ()
    noise = own is not None and own.synthetic and not declared.network.precision
    unmeasured = exporter.recipe_without_samples(declared, recipe) if noise and _chooses(asked, limits) else None
    if unmeasured is not None:
        recipe = replace(unmeasured, options={**recipe.options, **unmeasured.options})
        exporter.check_recipe(declared, recipe)
    return Job(
        model=_allowing(declared, judge, asked.max_kld),
        target=target,
        recipe=recipe,
        exporter=exporter,
        runtime=find("runtimes", recipe.runtime),
        judge=judge,
        calibration=calibration,
        samples=samples,
        data=Path(asked.data).name if asked.data else "",
        choosing=choosing,
        operating=asked.operating or {},
        limits=limits,
        evidence=own,
        no_evidence=no_evidence,
        unmeasured=unmeasured is not None,
        board=board,
        asked=asked,
    )


def _check_placed(target: Target, board: Board | None, runtime: str | None, asked: Asked) -> None:
    """Raise Unsupported for a board whose accelerator is another runtime's, and for such a runtime without a board."""
    if board is not None and board.runtime and board.runtime != runtime:
        raise Unsupported(
            f"{board.name} has an accelerator for the runtime {board.runtime}, not for {runtime}.",
            hint=f"Take --runtime {board.runtime}, or leave --board out.",
        )
    boards = [name for name, known in target.boards.items() if known.runtime and known.runtime == runtime]
    if board is None and boards:
        raise Unsupported(
            f"the runtime {runtime} needs to know the chip.", hint=f"Add --board, one of: {', '.join(boards)}."
        )


def _check_share(target: Target, recipe: Recipe, asked: Asked) -> None:
    """Raise BadInput for a share of multiplications that is none, Unsupported where the runtime does not say where
    layers run."""
    if asked.require_placed is not None and not 0 < asked.require_placed <= 1:
        raise BadInput(
            f"a share of {asked.require_placed:.0%} of the multiplications makes no sense.",
            hint="Such as --require-placed 95%",
        )
    if asked.require_placed is not None and not find("runtimes", recipe.runtime).places:
        able = [name for name in target.runtimes if find("runtimes", name).places]
        raise Unsupported(
            f"--require-placed asks where layers run, and the runtime {recipe.runtime} does not say.",
            hint=f"Add --runtime, one of: {', '.join(able)}." if able else "Leave it out.",
        )


def _chooses(asked: Asked, limits: Limits | None) -> bool:
    """Whether the user leaves the choice of a recipe to edgekit, and does not search."""
    return asked.precision is None and not asked.options and limits is None


def _check_workers(asked: Asked, limits: Limits | None) -> None:
    """Raise BadInput for a pool without a search, or an address that is none."""
    if asked.workers is None:
        return
    if limits is None:
        raise BadInput(
            "--workers is for a search, and the precision leaves nothing to search for.",
            hint="Add --precision auto, or leave --workers out.",
        )
    client.address(asked.workers)


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


def weights_of(job: Job, weights: str | None, tell: Progress) -> tuple[Path, Source | None]:
    """The folder or file of the weights, and the source it came from (None for a local path of the user's)."""
    own = job.model.weights
    if weights is None and own.sources:
        return fetch(own.sources, offline=job.asked.offline, mirror=job.asked.mirror, progress=tell)
    if weights is None and not own.hub:
        raise FetchFailed(f"no source of weights is known for {job.model.name}.", hint="Give yours: --weights PATH")
    chosen = user_source(weights or own.hub, offline=job.asked.offline)
    if isinstance(chosen, Path):
        return chosen, None
    return fetch([chosen], offline=job.asked.offline, mirror=job.asked.mirror, progress=tell)


def read(job: Job, weights: Path, tell: Progress) -> tuple[Job, Checkpoint]:
    """The weights of `job`, and the job as they make it: what is quantized already is not quantized to no avail."""
    job.exporter.require()
    job.runtime.require()
    for distribution, terms in job.runtime.terms.items():
        tell(f"{distribution} is under {terms}", 0, 0)
    checkpoint = _with_companions(read_checkpoint(weights), job, tell)
    return _skip_requantization(job, checkpoint, tell), checkpoint


def _with_companions(checkpoint: Checkpoint, job: Job, tell: Progress) -> Checkpoint:
    """`checkpoint` with the other models' weights that the declaration names."""
    pinned = job.model.weights.companions
    folders = {
        name: fetch([source], offline=job.asked.offline, mirror=job.asked.mirror, progress=tell)[0]
        for name, source in pinned.items()
    }
    return replace(checkpoint, companions={name: read_checkpoint(folder) for name, folder in folders.items()})


def _skip_requantization(job: Job, checkpoint: Checkpoint, tell: Progress) -> Job:
    """`job`; without a precision of the user's, weights that are quantized already are not quantized to no avail."""
    recipes = (
        () if job.asked.precision is not None else job.exporter.recipes_for_quantized(job.model, checkpoint, job.recipe)
    )
    if not recipes:
        return job
    tell(f"the weights are {recipes[-1].precision} already, and no {job.recipe.precision} is made of them", 0, 0)
    return replace(job, recipe=recipes[0], settled=tuple(recipes))
