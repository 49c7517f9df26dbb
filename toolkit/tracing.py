"""The fp32 reference, run on real inputs: what a candidate is compared with, and what it is quantized by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import golden, texts
from edgekit.core import (
    Checkpoint,
    Feeds,
    Model,
    Predictor,
    Progress,
    Recipe,
    Runner,
    Sample,
    Target,
)
from edgekit.errors import ExportFailed
from edgekit.gate import answers
from edgekit.parity import Recorder, reference_of
from edgekit.registry import find

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    mirror: str | Path | None = None


@dataclass(frozen=True)
class Reference:
    """The fp32 reference, traced: every part's calls, samples of the golden input's, the answers to it and the data.

    `languages` are those of the data's samples.
    """

    recorders: Mapping[str, Recorder]
    golden: Mapping[str, NDArray[Any]]
    output: str
    answers: Sequence[Any]
    calibration: Mapping[str, Sequence[Feeds]]
    languages: Sequence[str] = ()


def trace(
    job: Job,
    checkpoint: Checkpoint,
    facts: Mapping[str, Any],
    golden_input: str,
    stage: Path,
    work: Path,
    tell: Progress,
) -> Reference:
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
    reference, languages = measured(job, predictor, work, "measuring the reference", tell, reference=True)
    for recorder in recorders.values():  # the reference of a large model must not lie beside every candidate
        recorder.release()
    return Reference(recorders, of_golden, output, reference, calibration, languages)


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


def measured(
    job: Job, predictor: Predictor, work: Path, what: str, tell: Progress, *, reference: bool = False
) -> tuple[Sequence[Any], Sequence[str]]:
    """What the candidate (or the reference) says of every sample of the data, and their languages; empty where nobody
    asks.

    Without a metric nobody asks the reference: an operating point is the candidate's, and may take hours of sound.
    """
    if job.model.evaluation is None and (reference or job.model.operate is None):
        return [], []
    if texts.applies(job.model):
        return texts.scores(predictor, job.samples, work, tell, what, reference=reference), []
    return answers(predictor, job.samples, lambda i, n: tell(what, i, n))
