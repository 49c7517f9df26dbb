"""`Asked`: a request for an export. `Job`: the request, resolved. `Run`: a job under way."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from edgekit import core
from edgekit.bench.machine import host
from edgekit.core import Facts, Progress
from edgekit.estimation import budgets
from edgekit.gate.judges import Judge, Looks, Scores
from edgekit.numerics.parity import FLOATS
from edgekit.pipeline.search.limits import Limits
from edgekit.registry import find
from edgekit.tasks.resolved import predictor_of

#: Distributions that make inputs and answers of samples, and compare answers, whatever the format.
_READERS = ("numpy", "pillow", "soundfile", "soxr", "tokenizers", "jiwer", "whisper-normalizer")

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Asked:
    """The user's request, in names and paths: the arguments of `edgekit.export`."""

    model: str
    target: str = "laptop"
    _: KW_ONLY
    precision: str | None = None
    runtime: str | None = None
    exporter: str | None = None
    weights: str | None = None
    adapter: str | None = None
    calibration: str | Path | None = None
    data: str | Path | None = None
    out: str | Path | None = None
    offline: bool = False
    mirror: str | Path | None = None
    fallback: bool = True
    options: Facts | None = None
    operating: Facts | None = None
    max_kld: float | None = None
    limits: Limits | None = None
    task: str = ""
    dynamic: Mapping[str, tuple[int, int]] | None = None
    trust_code: bool = False
    metric: str = ""
    evidence: bool | str | Path = True
    accept_terms: Sequence[str] = ()
    force: bool = False
    board: str | None = None
    flash: int | None = None
    ram: int | None = None
    download: int | None = None
    require_placed: float | None = None
    workers: str | None = None
    progress: Progress | None = None

    def tell(self, what: str, done: int, total: int) -> None:
        """Progress, if it is wanted."""
        if self.progress is not None:
            self.progress(what, done, total)


def accept_fields(record: Callable[_P, _R]) -> Callable[[Callable[[_R], _T]], Callable[_P, _T]]:
    """For a function of one `record`: callers give it the record's fields as arguments, so each is declared once."""

    signature = inspect.signature(record)

    def of_fields(function: Callable[[_R], _T]) -> Callable[_P, _T]:
        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as exc:  # else it would name the record, which callers do not know
                raise TypeError(f"{function.__name__}(): {exc}") from None
            return function(record(*args, **kwargs))

        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return of_fields


@dataclass(frozen=True)
class Job:
    """A request for an export, every name resolved and every folder opened.

    Attributes:
        model: the declaration that `exporter` works from, with the user's limits. judge: of its task.
        calibration, samples: of ``--calibration`` and ``--data``; data: the name of the latter.
        choosing: how many of `samples`, the first ones, may choose a recipe, as for the evidence.
        operating: the goal by which a threshold is chosen. limits: of a search, if it is one.
        settled: the recipes to try where the weights are quantized already, the last of which takes them as they are.
        evidence: real samples that calibrate and judge; None: there are none, for the reason `no_evidence`.
        unmeasured: whether the recipe was chosen because no real sample is at hand; only floats follow it.
        adapter: name of the adapter that was merged into the weights; "" if there is none. board: that the user named.
        asked: the request that all this was resolved from; a worker of a pool resolves it again.
    """

    model: core.Model
    target: core.Target
    recipe: core.Recipe
    exporter: core.Exporter
    runtime: core.Runtime
    judge: Judge
    asked: Asked
    calibration: Sequence[core.Sample] = ()
    samples: Sequence[core.Sample] = ()
    data: str = ""
    choosing: int = 0
    operating: Facts = field(default_factory=dict)
    limits: Limits | None = None
    settled: tuple[core.Recipe, ...] = ()
    evidence: core.Evidence | None = None
    no_evidence: str = ""
    unmeasured: bool = False
    adapter: str = ""
    board: core.Board | None = None

    def recipes(self) -> list[core.Recipe]:
        """The requested recipe, then the recipes of the format's ladder that follow it and fit the target; or those of
        `settled`."""
        if self.settled:
            return list(self.settled if self.asked.fallback else self.settled[:1])
        if not self.asked.fallback:
            return [self.recipe]
        ladder = self.exporter.ladder(self.model, self.recipe)
        ladder = [recipe for recipe in ladder if not budgets.excess(self.model, self.target, recipe)]
        ladder = [recipe for recipe in ladder if not self.runtime.refuses(self.model, recipe)]
        same = [i for i, recipe in enumerate(ladder) if recipe.precision == self.recipe.precision]
        follow = ladder[same[0] :] if same else []
        if self.unmeasured:
            follow = [recipe for recipe in follow if recipe.precision in FLOATS]
        return [self.recipe, *(recipe for recipe in follow if recipe != self.recipe)]

    def recipes_to_try(self, size: int | None, *, hurried: bool = False) -> dict[str, core.Recipe]:
        """Name -> recipe: what a search tries. It is what the exporter offers for the model and fits the target, the
        smallest first, with the options that hold for all.

        Args:
            size: bytes that recipes may have by their estimates; None: any. hurried: also, at the end, those that take
                less time and lose more.
        """
        found = {}
        faster = self.exporter.faster_recipes(self.model, self.recipe, size) if hurried else ()
        for recipe in (*self.exporter.candidates(self.model, self.recipe, size), *faster):
            if not budgets.excess(self.model, self.target, recipe):
                name = str(recipe).removeprefix(f"{recipe.runtime} ")
                found[name] = replace(recipe, options={**self.recipe.options, **recipe.options})
        return found

    def quantizes(self) -> bool:
        """Whether any of `recipes` quantizes a part: floats need no calibration, and neither does a file that is taken
        as it is. A part that takes int8 is a ready quantized network."""
        if self.model.network.precision:
            return False
        floats = len(self.settled) == 1 or all(recipe.precision in FLOATS for recipe in self.recipes())
        parts = [part for part in self.model.network.parts if part.quantize]
        return not floats and any(spec.dtype != "int8" for part in parts for spec in part.inputs)

    def tools(self) -> dict[str, str]:
        """Distribution -> version, of the installed distributions that decide the export's result."""
        kind = self.model.identity.importer
        own = find("importers", kind).distributions if kind else ()
        return host.versions(
            dict.fromkeys((*_READERS, *own, *self.exporter.distributions, *self.runtime.distributions))
        )


@dataclass(frozen=True)
class Run:
    """A job under way.

    Attributes:
        checkpoint, source: the weights, and where they came from (None: a local path of the user's).
        key: of the export, see `edgekit.pipeline.reuse.key_of`. place: of the finished bundle.
        stage: the folder that becomes the bundle. work: a folder for intermediates, kept while recipes are tried.
        facts: of the model (`edgekit.core.Weights.prepare`). golden_input: its name in `stage`.
        off: why no part may be on its accelerator; "" while they may.
        tried, compared: how many recipes the evidence, and the data, have refused or compared before.
    """

    job: Job
    checkpoint: core.Checkpoint
    source: core.Source | None
    key: str
    stage: Path
    work: Path
    place: Path
    tell: Progress
    facts: Facts = field(default_factory=dict)
    golden_input: str = ""
    off: str = ""
    tried: int = 0
    compared: int = 0

    def predictor(self, parts: Mapping[str, core.Runner], facts: Facts | None = None) -> core.Predictor:
        """The model's predictor over `parts`, in the bundle that is being made."""
        return predictor_of(self.job.model, parts, self.stage, self.facts if facts is None else facts)

    def answers(
        self,
        predictor: core.Predictor,
        samples: Sequence[core.Sample],
        what: str,
        *,
        reference: bool = False,
        after: Callable[[int, Any], object] = lambda place, answer: None,
    ) -> Any:
        """The answers of the candidate (or the reference) that are compared, on samples of the evidence."""
        if not samples:
            return ()
        looks = Looks(what, self.tell, self.work, reference, after)
        return self.job.judge.answers(self.job.model, predictor, samples, looks)

    def scores(self, predictor: core.Predictor, what: str, *, reference: bool = False) -> Scores:
        """The scores of the candidate (or the reference) on the data; empty if they are not needed.

        Without a metric the reference is not scored: an operating point needs the candidate only, on hours of sound.
        """
        task = self.job.model.task
        if task.evaluation is None and (reference or task.operate is None):
            return Scores()
        return self.job.judge.scores(predictor, self.job.samples, Looks(what, self.tell, self.work, reference))
