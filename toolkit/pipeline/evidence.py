"""The evidence of an export: real samples that calibrate and judge where the user gives none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles import manifest
from edgekit.core import Evidence, Model, Progress, Sample
from edgekit.errors import FetchFailed
from edgekit.gate.agreement import not_measured
from edgekit.gate.evidence import digests, samples_of_evidence, split, write_answers
from edgekit.pipeline.job import Job
from edgekit.tasks.resolved import evidence_of

__all__ = ["Samples", "chosen", "facts", "gathered", "of_the_user"]


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


def chosen(model: Model, wanted: bool) -> tuple[Evidence | None, str]:
    """The evidence of `model`, or why there is none."""
    evidence = evidence_of(model) if wanted else None
    if evidence is not None:
        return evidence, ""
    return None, f"the task {model.task.name} has no samples" if wanted else "--no-evidence"


def of_the_user(evidence: Evidence | None, samples: Sequence[Sample], folder: str) -> Evidence | None:
    """`evidence`; or in place of noise the user's own calibration samples, of which the second half is judged."""
    if evidence is None or not evidence.synthetic or len(samples) < 2:
        return evidence
    digest = hashlib.sha256("".join(digests(samples).values()).encode()).hexdigest()
    return Evidence(f"{folder} {digest[:8]}", "the user's own", "given with --calibration", lambda _: samples)


def gathered(job: Job, tell: Progress) -> Samples:
    """The samples of the job's evidence. A set that cannot be fetched is recorded as absent, with the reason."""
    if job.evidence is None:
        return Samples(absent=job.no_evidence)
    try:
        samples = samples_of_evidence(job.evidence, tell, offline=job.offline, mirror=job.mirror)
    except FetchFailed as exc:
        tell(f"no evidence: {exc.message}", 0, 0)
        reason = "this is offline, and the cache lacks" if job.offline else "could not fetch"
        return Samples(absent=f"{reason} the samples {job.evidence.name!r}")
    half = len(samples) // 2
    judged, choosing = split(samples[half:])
    return Samples(job.evidence, samples[:half], judged, len(judged) if job.judge.searches else choosing)


def facts(
    samples: Samples, agreement: manifest.Agreement, reference: Sequence[Any], calibrated: int, stage: Path
) -> manifest.Evidence:
    """The evidence for the manifest.

    Args:
        reference: the reference's answers; those that JSON can hold go into the bundle folder `stage`.
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
        answers=write_answers(reference, stage) if reference and agreement.bar is not None else "",
    )
