"""The type of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekit.core.model import Evaluation
from edgekit.core.running import Prediction, Predictor, Runner
from edgekit.core.values import Evidence, Facts, Sample

#: A verdict, and why.
Objection = tuple[Literal["fail", "undecided"], str]


def _is_empty(answer: Any) -> bool:
    return isinstance(answer, (str, list, tuple)) and not answer


@dataclass(frozen=True)
class Agreement:
    """How a candidate's answers are compared with the fp32 reference's on the same samples.

    Attributes:
        what: what counts as the same answer, as a clause: ``"the same top label"``.
        answer: a prediction -> the part of it that is compared, JSON-able; the reference's is kept in the bundle.
        same: (answers, the reference's answers) -> for each sample, whether it is the same answer.
        bar: least share of samples with the same answer; a candidate below it is refused.
        least: the floor: what the lower end of the interval must reach for a pass (docs/explain/gate.md); of sequences,
            that of the share of positions with the same likeliest next token. None: 10 points below the bar.
        nothing: answer -> whether it says that nothing is there: such samples are counted apart.
        figures: (answers, the reference's) -> further figures, such as ``{"least cosine": 0.995}``.
        bars: figure -> its least value; a candidate below it is refused.
        bounds: whether the same answers have the same accuracy, so that the others bound the loss; not so where
            answers count as the same that are only near.
        objection: (answers, the reference's) -> what speaks against a pass: the verdict in its place, "fail" or
            "undecided", and why, as the end of a sentence; None for nothing.
    """

    what: str
    answer: Callable[[Prediction], Any]
    same: Callable[[Sequence[Any], Sequence[Any]], Sequence[bool]]
    bar: float
    figures: Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]] | None = None
    bars: Mapping[str, float] = field(default_factory=dict)
    bounds: bool = True
    objection: Callable[[Sequence[Any], Sequence[Any]], Objection | None] | None = None
    least: float | None = None
    nothing: Callable[[Any], bool] = _is_empty

    @property
    def floor(self) -> float:
        """What the lower end of the interval must reach for a pass: `least`, or 10 points below the bar."""
        return self.bar - 0.1 if self.least is None else self.least


@dataclass(frozen=True)
class Task:
    """The purpose of a model: the kind of sample, and how answers are judged. A file or package below `toolkit/tasks/`
    declares it as ``TASK``; a model names it and states what differs (`edgekit.core.Usage`).

    Attributes:
        name: a Hugging Face pipeline tag, also the registry name.
        sample: the kind of sample, for help texts and READMEs; "ids" are numbers of items with commas between.
        judge: how answers are judged (`edgekit.gate.judges`): ``"answers"``, each compared with a truth, or
            ``"probabilities"``, those that a language model gives to a text.
        samples: (data folder, labels) -> labelled samples; raises BadInput for a folder of another layout (see
            docs/data.md).
        predictor: (parts by name, bundle folder, facts) -> Predictor; None if each model has its own.
        metric: name of the usual metric, see `edgekit.bench.metrics`.
        rate: what a benchmark times: ``"calls"`` of a predictor, or ``"tokens"``, read and generated, by
            llama-bench's method.
        golden: package-data file of the golden input of imported models, relative to the models room.
        evaluation: of imported models on labelled data; None: no metric is defined.
        evidence: real samples that calibrate and judge every model of the task, unless the model has its own.
        agreement: how answers are compared with the reference's. None: not compared (``"probabilities"`` have their
            KL divergence).
        show: (sample, its prediction) -> a PIL image in mode RGB, the answer as a person looks at it: boxes on the
            picture, a curve over time (`edgekit.tasks.common.drawing`). None: `edgekit run --show` refuses.
    """

    name: str
    sample: Literal["sound", "picture", "text", "ids", "arrays"]
    judge: Literal["answers", "probabilities"]
    samples: Callable[[Path, Sequence[str]], Sequence[Sample]]
    predictor: Callable[[Mapping[str, Runner], Path, Facts], Predictor] | None = None
    metric: str = ""
    rate: Literal["calls", "tokens"] = "calls"
    golden: str = ""
    evaluation: Evaluation | None = None
    evidence: Evidence | None = None
    agreement: Agreement | None = None
    show: Callable[[Any, Prediction], Any] | None = None
