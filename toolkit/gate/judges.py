"""Judges of accuracy: by a model's answers, or by the probabilities that it gives to a text. A task names its judge.

All differences between the two are here, so that no other module asks whether a model is a language model.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from edgekit.bundles import manifest
from edgekit.bundles.manifest import Verdict
from edgekit.core import Evaluation, Feeds, Model, Predictor, Progress, Runner, Sample
from edgekit.errors import BadInput
from edgekit.gate import agreement, questions, texts, verdicts
from edgekit.gate.agreement import Grounds
from edgekit.gate.frontier import Loss
from edgekit.numerics.parity import Recorder
from edgekit.tasks.evidence.independence import with_sources
from edgekit.tasks.resolved import task_of

#: A trial's speed: answers, and seconds after which none begins; tokens that a language model generates.
_ANSWERS, _SECONDS, _TOKENS = 9, 3.0, 32
#: Calibration samples that are read where the model does not say how many.
_READ = 8


@dataclass(frozen=True)
class Scores:
    """A predictor's results on the samples of a data folder: a value and a language for each."""

    values: Sequence[Any] = ()
    languages: Sequence[str] = ()

    def subset(self, at: Sequence[int]) -> Scores:
        """Those of the samples at these places."""
        return Scores([self.values[i] for i in at], [self.languages[i] for i in at] if self.languages else ())


@dataclass(frozen=True)
class Looks:
    """How samples are scored: the step's name in progress messages, and the folder of the reference's distributions.

    Attributes:
        what: name of the step. tell: progress. work: folder for intermediates; None: there is no reference.
        reference: whether the predictor is the reference itself.
        after: what is done with a sample, by its place and its answer, right after it: what was computed is at hand.
    """

    what: str
    tell: Progress
    work: Path | None = None
    reference: bool = False
    after: Callable[[int, Any], object] = lambda place, answer: None


class Judge(ABC):
    """How the models of a task are judged.

    Attributes:
        searches: whether a maximum KL divergence can be set (``--max-kld``), and a search needs ``--data``.
        files: whether the data may be a single file.
    """

    searches = False
    files = False

    def folder(self, path: str | Path, option: str) -> Path:
        """The data folder (or file) at `path`. Raises BadInput if there is none."""
        folder = Path(path).expanduser()
        if folder.is_dir() or (self.files and folder.is_file()):
            return folder
        raise BadInput(f"there is no folder {str(path)!r}.", hint=f"--{option} takes a folder; see docs/data.md.")

    def compares(self, samples: Sequence[Sample]) -> bool:
        """Whether answers to these samples can be compared with the reference's."""
        return True

    def calibrating(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Those of the user's calibration samples that are read where the model does not say how many."""
        return samples[:_READ]

    @abstractmethod
    def calibration(
        self, predictor: Predictor, recorders: Mapping[str, Recorder], samples: Sequence[Sample]
    ) -> Mapping[str, Sequence[Feeds]]:
        """Part -> its inputs, for calibration: those of the golden input, which `recorders` hold, and of `samples`."""

    @abstractmethod
    def scores(self, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Scores:
        """The scores of `predictor` on `samples`. Raises BadInput that names a sample that cannot be used."""

    @abstractmethod
    def verdict(
        self, evaluation: Evaluation, scores: Scores, reference: Scores, samples: Sequence[Sample], data: str
    ) -> Verdict:
        """The verdict on a candidate's `scores`, compared with the reference's. data: name of the samples."""

    @abstractmethod
    def absolute(self, evaluation: Evaluation, scores: Scores, samples: Sequence[Sample], data: str) -> Verdict:
        """The verdict without a reference: by the absolute bar alone."""

    @abstractmethod
    def answers(self, model: Model, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Sequence[Any]:
        """The answers of `predictor` that are compared with the reference's; empty if the task compares none."""

    @abstractmethod
    def agreement(
        self,
        model: Model,
        answers: Sequence[Any],
        reference: Sequence[Any],
        samples: Sequence[Sample],
        grounds: Grounds,
    ) -> manifest.Agreement:
        """The verdict on a candidate's `answers`, compared with the reference's to the same `samples`."""

    @abstractmethod
    def describe_reference_miss(self, evaluation: Evaluation, reference: Scores, samples: Sequence[Sample]) -> str:
        """How the reference itself misses the bar ("" if it does not, or if that is unknown)."""

    def lenient(self, model: Model) -> Model:
        """`model` as the trials of a search judge it."""
        return model

    @abstractmethod
    def loss(self, model: Model, verdict: Verdict, agreed: manifest.Agreement) -> tuple[Verdict, Loss | None]:
        """The verdict on a trial by the limits of `model`, and the loss that it was measured to have (None: none)."""

    def pace(self, runners: Mapping[str, Runner], answer: Callable[[], Any]) -> Mapping[str, float]:
        """``{"seconds": s}``: the median time of `answer`, which answers the golden input, on this machine."""
        times: list[float] = []
        while len(times) < _ANSWERS and sum(times) < _SECONDS:
            began = time.perf_counter()
            answer()
            times.append(time.perf_counter() - began)
        return {"seconds": median(times[1:] or times)}


class AnswerJudge(Judge):
    """Compares every answer with the truth (`edgekit.gate.verdicts`)."""

    def calibration(
        self, predictor: Predictor, recorders: Mapping[str, Recorder], samples: Sequence[Sample]
    ) -> Mapping[str, Sequence[Feeds]]:
        for sample in samples:
            predictor.predict(sample.input)
        return {name: recorder.feeds for name, recorder in recorders.items()}

    def scores(self, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Scores:
        return Scores(*verdicts.answers(predictor, samples, lambda i, n: looks.tell(looks.what, i, n)))

    def verdict(
        self, evaluation: Evaluation, scores: Scores, reference: Scores, samples: Sequence[Sample], data: str
    ) -> Verdict:
        return verdicts.judge(evaluation, scores.values, reference.values, _assign_languages(samples, reference), data)

    def absolute(self, evaluation: Evaluation, scores: Scores, samples: Sequence[Sample], data: str) -> Verdict:
        if any(sample.truth is None for sample in samples):
            return verdicts.not_measured(f"{data} has no right answers to compare with")
        return verdicts.absolute(evaluation, scores.values, _assign_languages(samples, scores), data)

    def answers(self, model: Model, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Sequence[Any]:
        compared = task_of(model).agreement
        if compared is None:
            return ()
        answers = []
        for i, sample in enumerate(samples):
            looks.tell(looks.what, i, len(samples))
            answers.append(compared.answer(predictor.predict(sample.input)))
            looks.after(i, answers[-1])
        return answers

    def agreement(
        self,
        model: Model,
        answers: Sequence[Any],
        reference: Sequence[Any],
        samples: Sequence[Sample],
        grounds: Grounds,
    ) -> manifest.Agreement:
        compared = task_of(model).agreement
        if compared is None:
            return agreement.not_measured(f"answers of {model.task.name} are not compared")
        samples = with_sources(samples)
        sources = [sample.source for sample in samples]
        return agreement.compare(compared, answers, reference, sources=sources, grounds=grounds)

    def describe_reference_miss(self, evaluation: Evaluation, reference: Scores, samples: Sequence[Sample]) -> str:
        return verdicts.reference_misses(evaluation, reference.values, _assign_languages(samples, reference))

    def loss(self, model: Model, verdict: Verdict, agreed: manifest.Agreement) -> tuple[Verdict, Loss | None]:
        """In points of the metric where there are right answers, else in percent of answers unlike the reference's."""
        evaluation = model.task.evaluation
        if evaluation is not None and verdict.drop is not None:
            return verdict, _points(verdict, evaluation.drop)
        # What samples are too few to prove may be chosen on them all the same; noise has no bound, and chooses nothing.
        decides = agreed.verdict == "undecided" and agreed.low is not None
        told = msgspec.structs.replace(verdict, verdict="pass" if decides else agreed.verdict, reason=agreed.reason)
        if not agreed.of:
            return told, None
        unlike = 100 * (1 - agreed.same / agreed.of)
        most = 100 * (1 - (agreed.low or 0.0))
        return told, Loss(unlike, 0.0, most, "% of answers", 100 * (1 - (agreed.bar or 0.0)))


class ProbabilityJudge(Judge):
    """Compares the probabilities that a model gives to a text with the reference's (`edgekit.gate.texts`).

    Data of questions is judged by the answers (`edgekit.gate.questions`); the evidence, always by probabilities.
    """

    searches = True
    files = True

    def compares(self, samples: Sequence[Sample]) -> bool:
        """Not to questions: these have right answers, so they are data."""
        return not questions.are_questions(samples)

    def calibrating(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """All questions: each is short. Of texts as many as of other samples."""
        return samples if questions.are_questions(samples) else super().calibrating(samples)

    def calibration(
        self, predictor: Predictor, recorders: Mapping[str, Recorder], samples: Sequence[Sample]
    ) -> Mapping[str, Sequence[Feeds]]:
        """Only the tokens of texts: an importance matrix needs no more, and logits would not fit in memory."""
        more = texts.feeds(predictor, samples)
        return {name: [*recorder.feeds, *more] for name, recorder in recorders.items()}

    def scores(self, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Scores:
        if questions.are_questions(samples):
            return Scores(questions.answers(predictor, samples, looks.tell, looks.what))
        return Scores(texts.scores(predictor, samples, looks.work, looks.tell, looks.what, reference=looks.reference))

    def verdict(
        self, evaluation: Evaluation, scores: Scores, reference: Scores, samples: Sequence[Sample], data: str
    ) -> Verdict:
        if questions.are_questions(samples):
            return questions.judge(scores.values, reference.values, samples, data)
        return texts.judge(evaluation, scores.values, reference.values, data)

    def absolute(self, evaluation: Evaluation, scores: Scores, samples: Sequence[Sample], data: str) -> Verdict:
        if questions.are_questions(samples):
            return questions.absolute(scores.values, samples, data)
        return texts.absolute(evaluation, scores.values, data)

    def answers(self, model: Model, predictor: Predictor, samples: Sequence[Sample], looks: Looks) -> Sequence[Any]:
        return self.scores(predictor, samples, looks).values

    def agreement(
        self,
        model: Model,
        answers: Sequence[Any],
        reference: Sequence[Any],
        samples: Sequence[Sample],
        grounds: Grounds,
    ) -> manifest.Agreement:
        if model.task.evaluation is None:
            return agreement.not_measured(f"{model.name} declares no maximum KL divergence")
        return texts.judge_agreement(model.task.evaluation, answers)

    def describe_reference_miss(self, evaluation: Evaluation, reference: Scores, samples: Sequence[Sample]) -> str:
        if questions.are_questions(samples):
            return questions.reference_misses(reference.values, samples)
        return texts.reference_misses(evaluation, reference.values)

    def lenient(self, model: Model) -> Model:
        """Without a maximum: every type is measured, and `loss` decides."""
        assert model.task.evaluation is not None, "a language model declares a maximum divergence"
        evaluation = replace(model.task.evaluation, drop=float("inf"))
        return replace(model, task=replace(model.task, evaluation=evaluation))

    def loss(self, model: Model, verdict: Verdict, agreed: manifest.Agreement) -> tuple[Verdict, Loss | None]:
        """The mean KL divergence in nats a token; of questions, in points of right answers."""
        if verdict.metric == questions.METRIC:
            return verdict, _points(verdict, questions.DROP)
        assert model.task.evaluation is not None, "a language model declares a maximum divergence"
        evaluation, told = model.task.evaluation, texts.decide_verdict(model.task.evaluation, verdict)
        mean = float(told.drop or 0.0)
        low, high = (mean if end is None else end for end in (told.low, told.high))
        # What texts are too few to prove may be chosen on them all the same.
        if told.verdict == "undecided" and told.samples >= evaluation.minimum and high <= evaluation.drop:
            told = msgspec.structs.replace(told, verdict="pass")
        return told, Loss(mean, low, high, "nats a token", model.task.evaluation.drop)

    def pace(self, runners: Mapping[str, Runner], answer: Callable[[], Any]) -> Mapping[str, float]:
        """``{"speed": r}``: generated tokens/s."""
        runner: Any = next(iter(runners.values()))
        return {"speed": median(runner.speed(generate=_TOKENS) for _ in range(3))}


_JUDGES: Mapping[str, Callable[[], Judge]] = {"answers": AnswerJudge, "probabilities": ProbabilityJudge}


def judge_of(model: Model) -> Judge:
    """The judge of `model`'s task. Raises UnknownName where the task is not installed."""
    return _JUDGES[task_of(model).judge]()


def _points(verdict: Verdict, allowed: float) -> Loss:
    """The loss of a verdict that compared answers, in points of its metric."""
    drop = float(verdict.drop or 0.0)
    low, high = (drop if end is None else end for end in (verdict.low, verdict.high))
    return Loss(100 * drop, 100 * low, 100 * high, f"points of {verdict.metric}", 100 * allowed)


def _assign_languages(samples: Sequence[Sample], scores: Scores) -> list[Sample]:
    """`samples`, each with the language that its words are compared in."""
    languages = scores.languages or [sample.language for sample in samples]
    return [replace(sample, language=language) for sample, language in zip(samples, languages, strict=True)]
