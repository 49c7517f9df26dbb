"""Samples of evidence: loaded, described, and compared again with the answers that a bundle keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.bundles import manifest
from edgekit.bundles.opened import load, makers
from edgekit.common.files import described
from edgekit.core import Bundle, Evidence, Progress, Sample
from edgekit.errors import BadInput, FetchFailed
from edgekit.gate.agreement import FEWEST, Grounds, not_measured
from edgekit.gate.judges import Looks, judge_of
from edgekit.sources import fetch
from edgekit.tasks.evidence.independence import independent_sources
from edgekit.tasks.resolved import evidence_of

__all__ = ["ANSWERS", "agreed", "digests", "samples_of_evidence", "split", "write_answers"]

#: The file of a bundle that holds the reference's answers.
ANSWERS = "golden/answers.json"


def samples_of_evidence(
    evidence: Evidence, tell: Progress, *, offline: bool = False, mirror: str | Path | None = None
) -> Sequence[Sample]:
    """All samples of `evidence`, fetched if need be. Raises FetchFailed."""
    folder = Path()
    if evidence.sources:
        folder, _ = fetch(evidence.sources, offline=offline, mirror=mirror, progress=tell)
    return evidence.samples(folder)


def split(samples: Sequence[Sample], fewest: int = FEWEST) -> tuple[list[Sample], int]:
    """The samples, first those by which a recipe may be chosen, and how many these are.

    What was chosen on samples is not proven on them. Where half of the independent sources are enough for a verdict
    (`fewest`), every second one chooses, and the others prove what was chosen. Else all choose, and a choice among
    several is not proven.
    """
    sources = independent_sources(samples)
    if len(set(sources)) < 2 * max(fewest, FEWEST):
        return list(samples), len(samples)
    choosing = [sample for sample, source in zip(samples, sources, strict=True) if source % 2 == 0]
    rest = [sample for sample, source in zip(samples, sources, strict=True) if source % 2]
    return [*choosing, *rest], len(choosing)


def digests(samples: Sequence[Sample]) -> dict[str, str]:
    """Name -> sha256 of the content of every sample."""
    return {
        sample.name or str(i): hashlib.sha256(described(sample.input).encode()).hexdigest()
        for i, sample in enumerate(samples)
    }


def write_answers(answers: Sequence[Any], stage: Path) -> str:
    """Write the reference's answers into the bundle folder `stage`; returns the file's name."""
    (stage / ANSWERS).write_text(json.dumps(list(answers), separators=(",", ":")), encoding="utf-8")
    return ANSWERS


def agreed(bundle: Bundle, tell: Progress) -> manifest.Agreement:
    """The agreement of a finished bundle's answers with those of the reference that it keeps.

    Raises:
        BadInput: the kept answers are damaged.
    """
    kept = bundle.manifest.evidence
    if kept is None or not kept.name:
        return not_measured("the bundle was made without evidence")
    if not kept.answers:
        return not_measured("the reference's answers are not in the bundle")
    model, _ = makers(bundle)
    evidence = evidence_of(model)
    if evidence is None or evidence.name != kept.name:
        return not_measured(f"the samples {kept.name!r} are not in the bundle")
    try:
        samples = samples_of_evidence(evidence, tell)
    except FetchFailed:
        return not_measured(f"the samples {kept.name!r} could not be fetched")
    judged, _ = split(samples[len(samples) // 2 :])
    if digests(judged) != kept.samples:
        return not_measured(f"the samples {kept.name!r} have changed since the export")
    answers = judge_of(model).answers(model, load(bundle.path, hashes=False), judged, Looks("answers", tell))
    try:
        reference = json.loads((bundle.path / kept.answers).read_bytes())
        grounds = Grounds(synthetic=evidence.synthetic)
        return judge_of(model).agreement(model, answers, reference, judged, grounds)
    except (ValueError, TypeError, LookupError) as exc:
        raise BadInput(f"{kept.answers} does not hold answers of this task: {exc}.") from exc
