"""The fp32 reference, run on real inputs, to compare candidates with and to calibrate them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundles import golden, manifest
from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Part, Predictor, Runner, Sample
from edgekit.errors import BadInput, ExportFailed
from edgekit.gate.judges import Scores
from edgekit.gate.positions import Kept
from edgekit.numerics.finite import not_numbers
from edgekit.numerics.parity import Recorder
from edgekit.numerics.stored import StoredFeeds
from edgekit.pipeline.answering import answer_evidence, has_user_evidence, unfit
from edgekit.pipeline.evidence import Samples, facts, gather_samples
from edgekit.pipeline.job import Job, Run
from edgekit.runtimes.torch.runner import reference_of

#: Calls of a part that parity may compare.
_PARITY = 8


@dataclass(frozen=True)
class Reference:
    """The traced fp32 reference: calls of each part, golden outputs and answer, scores, and calibration inputs.

    Attributes:
        samples: of the evidence. answers: the reference's, to those that are judged. calibrated: number of samples of
            the evidence that calibrate. judged: calls of each part on samples that calibrated nothing, for parity; on
            the golden input where there are none. likeliest: what it expects next at every position of its answers,
            where these are sequences.
    """

    golden: Mapping[str, NDArray[Any]]
    output: str
    scores: Scores
    calibration: Mapping[str, Sequence[Feeds]]
    samples: Samples
    answers: Sequence[Any]
    calibrated: int
    judged: Mapping[str, Recorder]
    likeliest: Sequence[Kept] = ()

    def facts(self, agreement: manifest.Agreement, stage: Path) -> manifest.Evidence:
        """The evidence for the manifest; what it names is written into the bundle folder `stage`."""
        return facts(self.samples, agreement, self.answers, self.likeliest, self.calibrated, stage)

    def let_all_samples_choose(self) -> Reference:
        """The same, where all samples of the evidence have chosen."""
        return replace(self, samples=replace(self.samples, choosing=len(self.samples.judged)))

    def shorten(self, count: int) -> Reference:
        """The same with the first samples of the evidence alone."""
        if count >= len(self.samples.judged):
            return self
        choosing = min(self.samples.choosing, count)
        samples = replace(self.samples, judged=self.samples.judged[:count], choosing=choosing)
        return replace(self, samples=samples, answers=self.answers[:count], likeliest=self.likeliest[:count])

    def choosing(self, data: int) -> Reference:
        """The same with those samples of the evidence and of the data (the first ones) alone that may choose."""
        count, scores = self.samples.choosing, self.scores
        if data < len(scores.values):
            scores = scores.subset(range(data))
        samples = replace(self.samples, judged=self.samples.judged[:count])
        kept = self.likeliest[:count]
        return replace(self, samples=samples, answers=self.answers[:count], scores=scores, likeliest=kept)


def trace(run: Run) -> Reference:
    """Run the reference on the golden input, the calibration samples and the data."""
    run.tell("running the fp32 reference", 0, 0)
    job = run.job
    references = _references(run)
    recorders = {
        name: Recorder(runner, store=StoredFeeds(run.work / f"{name}.calls")) for name, runner in references.items()
    }
    predictor = run.predictor(recorders)
    output = golden.answer(predictor, run.stage / run.golden_input)
    for name, recorder in recorders.items():
        if not recorder.calls:
            raise ExportFailed(
                f"{job.model.name}: the golden input never reaches the part {name!r}; it proves nothing."
            )
        _check_answers(job, name, recorder)
        recorder.keep_feeds()
    of_golden = golden.reference_of(recorders)
    samples, calibrating, calibration = _record_calibration(run, predictor, recorders)
    for recorder in recorders.values():
        recorder.close()
    scores = run.scores(predictor, "measuring the reference", reference=True)
    judged = {name: Recorder(runner, _PARITY, evenly=True) for name, runner in references.items()}
    samples, answers, likeliest = answer_evidence(run, run.predictor(judged), judged, samples, of_golden)
    for recorder in (*recorders.values(), *judged.values()):  # a large reference must not lie beside every candidate
        recorder.release()
    calibrated = 0 if job.calibration else len(calibrating)
    judged = {name: recorder if recorder.calls else recorders[name] for name, recorder in judged.items()}
    return Reference(of_golden, output, scores, calibration, samples, answers, calibrated, judged, likeliest)


def _check_answers(job: Job, part: str, recorder: Recorder) -> None:
    """Raise BadInput where a part of the reference gives what is no number: nothing can be compared with that."""
    for name, value in recorder.calls[0][1].items():
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise BadInput(
                f"{job.model.name}: the fp32 network itself gives values that are no numbers (NaN) on the golden "
                f"input: {name!r} of the part {part!r}.",
                hint="Look at its weights, and at the inputs that it was given.",
            )


def _references(run: Run) -> dict[str, Runner]:
    """Part -> its reference. Raises ExportFailed if there is none."""
    model, exporter = run.job.model, run.job.exporter
    ready = any(part.build is None for part in model.network.parts)
    own = exporter.reference(model, run.checkpoint, run.work, run.tell) if ready else {}
    references = {}
    for part in model.network.parts:
        if part.build is None and part.name not in own:
            raise ExportFailed(f"{model.name}: the part {part.name!r} has no reference to compare with.")
        references[part.name] = own[part.name] if part.build is None else _build_reference(part, run)
    return references


def _build_reference(part: Part, run: Run) -> Runner:
    """A part's own reference. Raises BadInput where its weights are no numbers."""
    assert part.build is not None
    built = part.build(run.checkpoint)
    if hasattr(built, "named_parameters") and (why := not_numbers(built)):
        raise BadInput(
            f"{run.job.model.name}: {why}, in the part {part.name!r}.",
            hint="Load a checkpoint that is whole, or train again: such weights spread.",
        )
    return reference_of(part, built)


def _record_calibration(
    run: Run, predictor: Predictor, recorders: Mapping[str, Recorder]
) -> tuple[Samples, Sequence[Sample], Mapping[str, Sequence[Feeds]]]:
    """The evidence, the samples that calibrate, and the inputs of each part on them.

    The task's evidence may not fit a model with a pipeline of its own; then there is none, and the reason is kept.
    """
    job, samples = run.job, gather_samples(run.job, run.tell)
    calibrating = _calibrating(job, samples)
    run.tell("running the fp32 reference on calibration samples", 0, 0)
    try:
        return samples, calibrating, job.judge.calibration(predictor, recorders, calibrating)
    except BadInput as exc:
        if job.calibration or samples.evidence is None or has_user_evidence(job):
            raise
        return unfit(samples, exc), (), job.judge.calibration(predictor, recorders, ())


def _calibrating(job: Job, samples: Samples) -> Sequence[Sample]:
    """The calibration samples to use (see `edgekit.core.Usage.calibration`): the user's, else those of the evidence."""
    if not job.quantizes():
        return ()
    most, have = job.model.task.calibration, job.calibration or samples.calibrating
    if not most:
        return job.judge.calibrating(have) if job.calibration else have
    return [have[i * len(have) // most] for i in range(most)] if len(have) > most else have
