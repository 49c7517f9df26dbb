"""Samples of evidence: loaded, described, and compared again with the answers that a bundle keeps."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.bundles import manifest
from edgekit.bundles.opened import load, makers
from edgekit.common.documents import read_json
from edgekit.common.figures import count
from edgekit.common.files import describe_content
from edgekit.core import Bundle, Evidence, Model, Progress, Sample
from edgekit.errors import BadInput, FetchFailed, Unsupported
from edgekit.gate import positions
from edgekit.gate.agreement import FEWEST, Grounds, judge_chosen, not_measured
from edgekit.gate.judges import Judge, Looks, judge_of
from edgekit.sources import fetch
from edgekit.tasks.evidence.full import full_evidence
from edgekit.tasks.evidence.independence import with_sources
from edgekit.tasks.resolved import evidence_of, samples_of

#: The file of a bundle that holds the reference's answers.
ANSWERS = "golden/answers.json"
#: What ``--evidence`` calls edgekit's larger set.
FULL = "edgekit:full"
#: Why nothing is judged of a network to which edgekit has no samples but noise.
NO_SAMPLES = "not judged: no real samples; add --evidence DIR with some of yours"


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
    samples = with_sources(samples)
    names = list(dict.fromkeys(sample.source for sample in samples))
    if len(names) < 2 * max(fewest, FEWEST):
        return samples, len(samples)
    chooses = set(names[::2])
    choosing = [sample for sample in samples if sample.source in chooses]
    return [*choosing, *(sample for sample in samples if sample.source not in chooses)], len(choosing)


def digests(samples: Sequence[Sample]) -> dict[str, str]:
    """Name -> sha256 of the content of every sample. Of samples with one name, each has its place after it."""
    found: dict[str, str] = {}
    for i, sample in enumerate(samples):
        name = sample.name or str(i)
        while name in found:
            name += f" ({i})"
        found[name] = hashlib.sha256(describe_content(sample.input).encode()).hexdigest()
    return found


def write_answers(answers: Sequence[Any], stage: Path) -> str:
    """Write the reference's answers into the bundle folder `stage`; returns the file's name."""
    (stage / ANSWERS).write_text(json.dumps(list(answers), separators=(",", ":")), encoding="utf-8")
    return ANSWERS


def evidence_at(where: str | Path, model: Model, judge: Judge, tell: Progress) -> Evidence:
    """What ``--evidence`` names: the user's own samples in a data folder, or edgekit's larger set.

    Raises:
        BadInput: there is no such folder, or it holds fewer than two samples, or samples of another kind. Unsupported:
        there is no larger set for the task.
    """
    if str(where) == FULL:
        usual = evidence_of(model)
        found = full_evidence(usual) if usual else None
        if found is None:
            raise Unsupported(
                f"edgekit has no larger set of samples for {model.task.name}.", hint="Give yours: --evidence DIR"
            )
        return found
    folder = judge.folder(where, "evidence")
    samples = samples_of(model, folder)
    if len(samples) < 2 or not judge.compares(samples):
        raise BadInput(
            f"{folder} holds {count(len(samples), 'sample')} that can be compared with fp32's answers; two are needed.",
            hint="--evidence takes the layout of --calibration; see docs/data.md.",
        )
    if judge.searches or all(sample.truth is None for sample in samples):
        return users_evidence(samples, folder.name, "given with --evidence")
    tell("the labels beside the samples of --evidence are not used: --data judges by them", 0, 0)
    plain = [replace(sample, truth=None) for sample in samples]
    return users_evidence(plain, folder.name, "given with --evidence; labels were beside them and are not used")


def users_evidence(samples: Sequence[Sample], folder: str, origin: str) -> Evidence:
    """The user's samples as evidence. One half of their independent sources calibrates, the other half is judged."""
    samples = with_sources(samples)
    names = list(dict.fromkeys(sample.source for sample in samples))
    first = set(names[: len(names) // 2])
    calibrating = [sample for sample in samples if sample.source in first]
    ordered = [*calibrating, *(sample for sample in samples if sample.source not in first)]
    digest = hashlib.sha256("".join(digests(ordered).values()).encode()).hexdigest()
    name = f"{folder} {digest[:8]}"
    return Evidence(name, "the user's own", origin, lambda _: ordered, calibrating=len(calibrating))


def measure_agreement(bundle: Bundle, tell: Progress, where: str | Path | None = None) -> manifest.Agreement:
    """The agreement of a finished bundle's answers with those of the reference that it keeps.

    Args:
        where: what ``--evidence`` names; None: edgekit's own samples, as at the export.

    Raises:
        BadInput: the kept answers are damaged, or `where` holds none of the samples.
    """
    kept = bundle.manifest.evidence
    if kept is None or not kept.name:
        return not_measured(kept.agreement.reason if kept else "the bundle was made without evidence")
    if not kept.answers:
        return not_measured("the reference's answers are not in the bundle")
    model = makers(bundle).model
    evidence = _evidence_of(bundle, model, tell, where)
    if evidence is None:
        return not_measured(f"the samples {kept.name!r} are not in the bundle: --evidence DIR gives them again")
    try:
        samples = samples_of_evidence(evidence, tell)
    except FetchFailed:
        return not_measured(f"the samples {kept.name!r} could not be fetched")
    known = dict(zip(digests(samples).values(), samples, strict=True))
    if absent := [digest for digest in kept.samples.values() if digest not in known]:
        return not_measured(f"the samples {kept.name!r} have changed since the export: {len(absent)} are not there")
    judged = with_sources([known[digest] for digest in kept.samples.values()])
    judge = judge_of(model)
    predictor = load(bundle.path, hashes=False)
    found: list[positions.Positions] = []
    with _refuse_damage(kept.answers):
        reference = read_json(bundle.path / kept.answers)
        expected = read_json(bundle.path / kept.positions) if kept.positions else ()
        if kept.positions and len(expected) != len(judged):
            raise ValueError(f"{kept.positions} is of {len(expected)} samples, not of {len(judged)}")

    def force(i: int, answer: Any) -> None:
        with _refuse_damage(kept.answers):
            if expected:
                found.append(positions.distance(predictor, judged[i], reference[i], expected[i]))

    answers = judge.answers(model, predictor, judged, Looks("answers", tell, after=force))

    def agreement(part: slice, grounds: Grounds) -> manifest.Agreement:
        if found:
            shares, far = positions.by_source(found[part], judged[part])
            grounds = replace(grounds, positions=shares, divergence=far)
        return judge.agreement(model, answers[part], reference[part], judged[part], grounds)

    with _refuse_damage(kept.answers):
        choosing = kept.choosing or len(judged)
        return judge_chosen(agreement, choosing, len(judged), kept.agreement.tried)[1]


@contextlib.contextmanager
def _refuse_damage(name: str) -> Iterator[None]:
    """Raises BadInput where what a bundle keeps in the file `name` is of another kind."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as exc:
        raise BadInput(f"{name} does not hold answers of this task: {exc}.") from exc


def _evidence_of(bundle: Bundle, model: Model, tell: Progress, where: str | Path | None) -> Evidence | None:
    """The evidence that holds the judged samples of `bundle`; None where only the user has them."""
    if where is not None:
        return evidence_at(where, model, judge_of(model), tell)
    kept = bundle.manifest.evidence
    usual = evidence_of(model)
    every = [usual, full_evidence(usual)] if usual else []
    return next((found for found in every if found and kept and found.name == kept.name), None)
