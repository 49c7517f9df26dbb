"""The fp32 reference's answers to the evidence: given once, and kept for the same weights, code and samples."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import cache_folder, describe_content, write_whole
from edgekit.common.lazy import NDArray
from edgekit.core import Predictor
from edgekit.errors import BadInput, EdgekitError
from edgekit.gate.evidence import digests
from edgekit.gate.positions import Kept, expectations
from edgekit.numerics.parity import Recorder
from edgekit.pipeline.evidence import Samples
from edgekit.pipeline.job import Job, Run
from edgekit.pipeline.reuse import decides
from edgekit.tasks.resolved import task_of

#: Samples whose calls are recorded for parity, and sets of answers that are kept: the latest.
_RECORDED, _SETS = 4, 64
_WHAT = "answers of the reference"


def answer_evidence(
    run: Run,
    predictor: Predictor,
    recorders: Mapping[str, Recorder],
    samples: Samples,
    golden: Mapping[str, NDArray[Any]],
) -> tuple[Samples, Sequence[Any], Sequence[Kept]]:
    """The evidence; the reference's answers to what is judged of it, and what it expects next in them (where they are
    sequences). None where the evidence does not fit the model.

    Args:
        predictor: of the reference, through `recorders`, which keep calls by which parity may refuse: of samples that
            may choose a recipe. golden: sampled outputs on the golden input.

    Raises:
        BadInput: the user's own samples do not fit.
    """
    judge = run.job.judge
    few = samples.judged if judge.searches else samples.judged[: min(samples.choosing, _RECORDED)]
    try:
        answers = list(run.answers(predictor, few, _WHAT, reference=True))
        if few and not all(recorder.calls for recorder in recorders.values()):
            predictor.probe(few[0].input)
        for recorder in recorders.values():
            recorder.close()
        if samples.evidence is None or judge.searches:
            return samples, answers if samples.evidence else (), ()
        return samples, *_complete_answers(run, predictor, samples, answers, golden)
    except BadInput as exc:
        if has_user_evidence(run.job):
            raise
        return unfit(samples, exc), (), ()


def has_user_evidence(job: Job) -> bool:
    """Whether the evidence is the user's: what does not fit of it is an error."""
    return not isinstance(job.asked.evidence, bool)


def unfit(samples: Samples, exc: BadInput) -> Samples:
    """No evidence, as its samples do not fit the model."""
    name = samples.evidence.name if samples.evidence else ""
    return Samples(absent=f"the samples {name!r} do not fit this model: {exc.message}")


def _complete_answers(
    run: Run, predictor: Predictor, samples: Samples, first: Sequence[Any], golden: Mapping[str, NDArray[Any]]
) -> tuple[Sequence[Any], Sequence[Kept]]:
    """All answers and what is expected in them: those of an earlier export, or made now after the `first` ones."""
    lines = [
        *decides(run.job, run.checkpoint.path),
        f"{run.job.model.name} {agreement.what if (agreement := task_of(run.job.model).agreement) else ''}",
        repr(digests(samples.judged)),
        f"outputs {describe_content(golden)}",
    ]
    file = cache_folder() / "answers" / f"{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(file.read_bytes())
        if len(content["answers"]) == len(samples.judged) and isinstance(content["likeliest"], list):
            run.tell(f"{_WHAT}: those of an earlier export", 0, 0)
            return content["answers"], content["likeliest"]
    later = samples.judged[len(first) :]
    kept = [expectations(predictor, *pair) for pair in zip(samples.judged, first, strict=False)]

    def look(i: int, answer: Any) -> None:
        kept.append(expectations(predictor, later[i], answer))

    answers = [*first, *run.answers(predictor, later, _WHAT, reference=True, after=look)]
    likeliest = [one for one in kept if one is not None]
    likeliest = likeliest if len(likeliest) == len(answers) else []
    with contextlib.suppress(OSError, EdgekitError, TypeError):  # what JSON does not have is not kept
        write_whole(file, json.dumps({"answers": answers, "likeliest": likeliest}).encode())
        _drop_oldest(file.parent)
    return answers, likeliest


def _drop_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_SETS]:
        path.unlink(missing_ok=True)
