"""A part of an fp32 bundle with real inputs, and what int8 graphs of it do on other ones, for two comparisons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.bundles.opened import makers
from edgekit.core import Feeds, Model, Runner, Sample
from edgekit.exporters.onnx import linear
from edgekit.exporters.onnx.convolutions import places
from edgekit.gate.agreement import compare
from edgekit.gate.evidence import digests, samples_of_evidence
from edgekit.numerics.parity import Recorder, spread
from edgekit.quantization.candidates import Truth
from edgekit.runtimes.onnxruntime.runner import OnnxRunner, evaluate
from edgekit.tasks.resolved import evidence_of, samples_of, task_of


@dataclass(frozen=True)
class Counts:
    """Samples that calibrate and that are judged, and the calls of the part that errors are measured on."""

    calibrate: int
    judge: int
    calls: int


@dataclass(frozen=True)
class Samples:
    """Of the model's task; no judged one has the content of one that calibrates."""

    calibrating: Sequence[Sample]
    judged: Sequence[Sample]


def samples(model: Model, calibrate: Path | None, judge: Path | None, counts: Counts) -> Samples:
    """Samples of two folders, evenly spaced; without a folder, of that half of the evidence."""
    evidence = evidence_of(model)
    halves: list[Sequence[Sample]] = [(), ()]
    if evidence is not None and None in (calibrate, judge):
        everything = samples_of_evidence(evidence, _silent)
        halves = [everything[: len(everything) // 2], everything[len(everything) // 2 :]]
    known = spread(samples_of(model, calibrate) if calibrate else halves[0], counts.calibrate)
    seen = set(digests(known).values())
    fresh = samples_of(model, judge) if judge else halves[1]
    return Samples(known, spread(_others(fresh, seen), counts.judge))


class Subject:
    """A part: its fp32 graph (`static`: of convolutions; else with products for all that is one), and its inputs.

    Attributes:
        source: the fp32 graph as it is in the bundle.
        known: recorded inputs that calibrate. fresh: those that errors are measured on.
    """

    def __init__(self, bundle: Path, part: str, chosen: Samples, counts: Counts) -> None:
        self._bundle, self._part, self._judged = bundle, part, chosen.judged
        self._model = makers(open_bundle(bundle)).model
        self.source = onnx.load(bundle / f"{part}.onnx")
        self.static = places.convolutional(self.source)
        self.graph = places.rewrite_for_int8(self.source) if self.static else linear.with_products(self.source)
        self.known, _ = self._calls(chosen.calibrating)
        calls, self._answers = self._calls(chosen.judged)
        self.fresh = spread(calls, counts.calls)
        self._truth = Truth(evaluate(self.graph, self.fresh))

    def error(self, made: onnx.ModelProto) -> float:
        """Relative error of the output that moves most, over all fresh calls together."""
        return self._truth.error(evaluate(made, self.fresh))

    def agreed(self, made: onnx.ModelProto) -> str:
        """The agreement of the task: of the judged samples, as many answers are fp32's; and its further figures."""
        agreement = task_of(self._model).agreement
        if agreement is None:
            return "the task compares none"
        runner = OnnxRunner(made.SerializeToString(), 1)
        verdict = compare(agreement, self._predicted(runner, self._judged), self._answers)
        figures = [f"{name} {value:.4f}" for name, value in verdict.figures.items()]
        return ", ".join([f"{verdict.same} of {verdict.of}", *figures])

    def _calls(self, given: Sequence[Sample]) -> tuple[list[Feeds], list[Any]]:
        recorders: dict[str, Recorder] = {}
        answers = self._predicted(lambda name, runner: recorders.setdefault(name, Recorder(runner)), given)
        return [feeds for feeds, _ in recorders[self._part].calls], answers

    def _predicted(self, wrap: Any, given: Sequence[Sample]) -> list[Any]:
        """Answers with another runner in place of the part's, or with what `wrap` (name, runner) makes of all."""

        def put(name: str, runner: Runner) -> Runner:
            if isinstance(wrap, Runner):
                return wrap if name == self._part else runner
            own: Runner = wrap(name, runner)
            return own

        predictor = edgekit.load(self._bundle, threads=1, wrap=put)
        agreement = task_of(self._model).agreement
        predictions = [predictor.predict(sample.input) for sample in given]
        return [agreement.answer(prediction) for prediction in predictions] if agreement else []


def _others(given: Sequence[Sample], seen: Collection[str]) -> list[Sample]:
    return [sample for sample in given if not seen & set(digests([sample]).values())]


def _silent(*_: Any) -> None:
    return None
