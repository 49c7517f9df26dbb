"""The evidence of an export: real samples that calibrate and judge where the user gives none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundles import manifest
from edgekit.core import Evidence, Model, Progress, Sample
from edgekit.errors import BadInput, FetchFailed
from edgekit.gate.agreement import not_measured
from edgekit.gate.evidence import (
    NO_SAMPLES,
    digests,
    evidence_at,
    samples_of_evidence,
    split,
    users_evidence,
    write_answers,
)
from edgekit.gate.judges import Judge
from edgekit.gate.positions import Kept, write
from edgekit.pipeline.job import Asked, Job
from edgekit.tasks.resolved import evidence_of


@dataclass(frozen=True)
class Samples:
    """The samples of an evidence set.

    Attributes:
        evidence: the set; None: there is none, for the reason `absent`.
        calibrating, judged: its halves. choosing: how many of the judged, the first ones, may choose a recipe: all of
            them, if they are too few to be split (`edgekit.gate.evidence.split`).
    """

    evidence: Evidence | None = None
    calibrating: Sequence[Sample] = ()
    judged: Sequence[Sample] = ()
    choosing: int = 0
    absent: str = ""


def choose_evidence(
    model: Model, judge: Judge, asked: Asked, calibration: Sequence[Sample], data: Sequence[Sample]
) -> tuple[Evidence | None, str]:
    """The evidence of `model`, or why there is none.

    Raises:
        BadInput: the user's samples are too few, of another kind, or also in ``--calibration`` or ``--data``.
    """
    if asked.evidence is False:
        return None, "--no-evidence"
    usual = evidence_of(model)
    if asked.evidence is not True:
        found = evidence_at(asked.evidence, model, judge, asked.tell)
        samples = [] if found.sources else found.samples(Path())
        check_apart(("evidence", samples), ("data", data), ("calibration", calibration))
        return replace(found, calibrating=0) if calibration else found, ""
    return usual, "" if usual is not None else f"the task {model.task.name} has no samples"


def check_apart(first: tuple[str, Sequence[Sample]], *others: tuple[str, Sequence[Sample]]) -> None:
    """Raise BadInput where samples of one option are given with another, too: what calibrates or chooses is no proof.

    Args:
        first, others: (name of an option, its samples).
    """
    option, samples = first
    known = set(digests(samples).values()) if samples else set()
    for other, more in others:
        both = [name for name, digest in digests(more).items() if digest in known] if known else []
        if both:
            named = ", ".join(both[:3]) + (f" and {len(both) - 3} more" if len(both) > 3 else "")
            raise BadInput(
                f"--{option} and --{other} share samples: {named}. What is proven on them would be known before.",
                hint=f"Give each sample to one of the two: --{option} DIR --{other} OTHER.",
            )


def of_the_user(evidence: Evidence | None, samples: Sequence[Sample], folder: str) -> Evidence | None:
    """`evidence`; or in place of noise the user's own calibration samples, of which the second half is judged."""
    if evidence is None or not evidence.synthetic or len(samples) < 2:
        return evidence
    return users_evidence(samples, folder, "given with --calibration")


def gather_samples(job: Job, tell: Progress) -> Samples:
    """The samples of the job's evidence. A set that cannot be fetched is recorded as absent, with the reason."""
    if job.evidence is None:
        return Samples(absent=job.no_evidence)
    try:
        samples = samples_of_evidence(job.evidence, tell, offline=job.asked.offline, mirror=job.asked.mirror)
    except FetchFailed as exc:
        tell(f"no evidence: {exc.message}", 0, 0)
        reason = "this is offline, and the cache lacks" if job.asked.offline else "could not fetch"
        return Samples(absent=f"{reason} the samples {job.evidence.name!r}")
    calibrating, rest = job.evidence.halves(samples)
    if job.evidence.synthetic:  # noise shows whether a graph computes the same, and judges nothing
        return Samples(None, calibrating, rest, len(rest), NO_SAMPLES)
    judged, choosing = split(rest)
    return Samples(job.evidence, calibrating, judged, len(judged) if job.judge.searches else choosing)


def facts(
    samples: Samples,
    agreement: manifest.Agreement,
    reference: Sequence[Any],
    likeliest: Sequence[Kept],
    calibrated: int,
    stage: Path,
) -> manifest.Evidence:
    """The evidence for the manifest.

    Args:
        reference: the reference's answers; those that JSON can hold go into the bundle folder `stage`, and so does what
            it expects next (`likeliest`).
        calibrated: number of samples that calibrated the bundle.
    """
    if samples.evidence is None:
        return manifest.Evidence(agreement=not_measured(samples.absent))
    evidence = samples.evidence
    return manifest.Evidence(
        agreement=agreement,
        name=evidence.name,
        licence=evidence.licence,
        origin=evidence.origin,
        calibrated=calibrated,
        samples=digests(samples.judged),
        choosing=samples.choosing,
        answers=write_answers(reference, stage) if reference and agreement.bar is not None else "",
        positions=write(likeliest, stage) if likeliest else "",
    )
