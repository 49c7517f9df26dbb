"""Core ML bundles, interpreted, beside the fp32 reference on real inputs: cosines of every part, and the task's metric.

    .venv/bin/python tests/peers/coreml_cosines.py --data ../shared/data --work build/coreml

Prints the tables of docs/ios.md. A part is given what the reference's part was given, so that no error hides in
another; metrics are of whole pipelines. Bundles, and what was found of each, stay in the folder; remove a .json there
to have it anew. What int8 is calibrated on (every fifth photo; LibriSpeech's train-clean) is not what it is measured
on. Fidelity: emulated. Exit status 1: a part misses its bar, or fp16 loses more than half a point.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.tasks.resolved import predictor_of, samples_of

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from helpers.cases.cosines import cosines
from helpers.toys.references import references

import edgekit
from edgekit.bench.metrics import table
from edgekit.bundles.bundle import open_bundle
from edgekit.core import Bundle, Runner, Sample
from edgekit.gate import verdicts
from edgekit.registry import find, serving

#: The least cosine that is good enough; what a metric may lose in fp16.
BARS, LOST = {"fp16": 0.9999, "int8": 0.999}, 0.005


@dataclass(frozen=True)
class Case:
    """What a model is measured on, below the folder of data.

    Attributes:
        inputs: of which `count`, evenly spaced, are compared part by part. judged: for the metric of the task.
        calibration: for int8; "photos": every fifth one of `inputs`, which is then no input.
    """

    inputs: str
    count: int
    judged: tuple[str, ...] = ()
    calibration: str = ""
    precisions: tuple[str, ...] = ("fp16", "int8")


_VOICES, _TRAINING = "librispeech-test-other", "librispeech-train-clean"
CASES = {
    "whisper-base": Case(_VOICES, 24, ("speech", _VOICES), _TRAINING),
    "efficientnet-lite0": Case("imagenet-sample", 80, ("imagenet-sample",), "photos"),
    "ecapa-tdnn": Case(_VOICES, 60, (_VOICES,), _TRAINING),
    "ds-cnn-kws": Case("mlperf-tiny-kws", 300, ("mlperf-tiny-kws",)),
    "ge2e-speaker": Case(_VOICES, 24, (_VOICES,), precisions=("fp16",)),
    "openwakeword-hey-jarvis": Case(_VOICES, 24),
    "mobilenet-v1-025-vww": Case("imagenet-sample/images", 80, ("imagenet-sample/images",), "photos"),
}
PARTS = """\
| bundle | part | inputs, calls | cosine: least | 5 % below | median | bytes a weight | layers that keep more bits |
|---|---|---|---|---|---|---|---|"""
TASKS = """\
| bundle | data | metric | fp32 | Core ML | loss in points (95 % interval) |
|---|---|---|---|---|---|"""


class Bench:
    """One model: its reference, and its bundles, which are made where the folder has none."""

    def __init__(self, name: str, data: Path, work: Path, count: int | None = None) -> None:
        """`count`: inputs that are compared, in place of the case's own number; then nothing else is measured."""
        self.name, self.case, self._data, self._work = name, CASES[name], data, work
        self._more = ""
        if count:
            self.case, self._more = replace(self.case, count=count, judged=()), f"-{count}"
        self.model = serving(find("models", name), "coreml")
        self._references: dict[str, Runner] = {}
        self._answers: dict[str, list[Any]] = {}

    def found(self, precision: str) -> Mapping[str, Any]:
        """What was measured of a precision, now or before."""
        kept = self._work / f"{self.name}-{precision}{self._more}.json"
        if not kept.exists():
            bundle = self.bundle(precision)
            if not self._references:
                self._references = references(self.model)[0]
            found = {"parts": self._parts(bundle), "tasks": [self._task(bundle, data) for data in self.case.judged]}
            kept.write_text(json.dumps(found, indent=1))
        return json.loads(kept.read_bytes())  # type: ignore[no-any-return]

    def bundle(self, precision: str) -> Bundle:
        place = self._work / f"{self.name}-{precision}"
        if place.exists():
            return open_bundle(place)
        calibration = self._calibration() if precision == "int8" else None
        return edgekit.export(self.name, "ios", precision=precision, out=place, calibration=calibration, fallback=False)

    def _calibration(self) -> Path | None:
        if self.case.calibration != "photos":
            return self._data / self.case.calibration if self.case.calibration else None
        folder = self._work / "photos"
        if not folder.exists():
            folder.mkdir()
            for file in sorted((self._data / "imagenet-sample" / "images").iterdir())[::5]:
                shutil.copyfile(file, folder / file.name)
        return folder

    def _samples(self, folder: str) -> Sequence[Sample]:
        """Those that nothing was calibrated on."""
        samples = samples_of(self.model, self._data / folder)
        if self.case.calibration != "photos":
            return samples
        taken = {file.name for file in (self._calibration() or self._work).iterdir()}
        return [sample for sample in samples if Path(sample.input).name not in taken]

    def _parts(self, bundle: Bundle) -> dict[str, Any]:
        samples = self._samples(self.case.inputs)
        count = min(self.case.count, len(samples))
        chosen = [samples[i * len(samples) // count] for i in range(count)]
        inputs = list(dict.fromkeys(one for sample in chosen for one in _each(sample.input)))[: self.case.count]
        found = cosines(bundle, self._references, inputs)
        facts = {}
        for part in bundle.manifest.parts:
            if not found[part.name]:
                continue
            worst = min(found[part.name], key=lambda name: min(found[part.name][name]))
            every = np.array([value for values in found[part.name].values() for value in values])
            kept = [name for name, layer in part.census["layers"].items() if "alone" in layer["why"]]
            facts[part.name] = {
                "inputs": len(inputs),
                "calls": len(found[part.name][worst]),
                "worst": worst,
                "least": float(every.min()),
                "low": float(np.quantile(every, 0.05)),
                "median": float(np.median(every)),
                "bytes": sum(file.stat().st_size for file in (bundle.path / part.file).rglob("*") if file.is_file()),
                "weights": _weights(self._references[part.name]),
                "quantized": next(one.quantize for one in self.model.network.parts if one.name == part.name),
                "kept": kept,
            }
        return facts

    def _task(self, bundle: Bundle, data: str) -> dict[str, Any]:
        samples, evaluation = self._samples(data), self.model.task.evaluation
        assert evaluation is not None
        if data not in self._answers:
            fp32 = predictor_of(self.model, self._references, bundle.path, bundle.manifest.facts)
            self._answers[data], _ = verdicts.answers(fp32, samples, lambda i, n: None)
        given, _ = verdicts.answers(edgekit.load(bundle.path, threads=1), samples, lambda i, n: None)
        verdict = verdicts.judge(evaluation, given, self._answers[data], samples, data)
        facts = {"metric": verdict.metric, "samples": verdict.samples, "fp32": verdict.reference}
        return {"data": data, **facts, "here": verdict.value, "drop": [verdict.drop, verdict.low, verdict.high]}


def _each(given: Any) -> Iterator[Any]:
    """A trial is a pair of clips."""
    yield from given if isinstance(given, tuple) else (given,)


def _weights(reference: Any) -> int:
    return sum(one.numel() for one in reference._module.parameters())


def part_row(name: str, part: str, facts: Mapping[str, Any]) -> str:
    shown = [f"{facts[key]:.6f}" for key in ("least", "low", "median")]
    each = f"{facts['bytes'] / facts['weights']:.3f}" if facts["weights"] else ""
    kept = f"{len(facts['kept'])}: {', '.join(facts['kept'])}" if facts["kept"] else ""
    return f"| {name} | {part} | {facts['inputs']}, {facts['calls']} | {' | '.join([*shown, each, kept])} |"


def task_row(name: str, task: Mapping[str, Any]) -> str:
    metric = table.find(task["metric"])
    fp32, here = (
        table.format_value(metric, task[key]) if task[key] is not None else "its own answers"
        for key in ("fp32", "here")
    )
    here = "" if task["here"] is None else here
    drop, low, high = (f"{100 * value + 0.0:+.2f}" for value in task["drop"])
    return (
        f"| {name} | {task['data']}, {task['samples']} | {metric.name} | {fp32} | {here} | {drop} ({low} to {high}) |"
    )


def missed(precision: str, found: Mapping[str, Any]) -> list[str]:
    """What of a bundle misses a bar, in words."""
    out = []
    for part, facts in found["parts"].items():
        bar = BARS[precision] if facts["quantized"] else BARS["fp16"]
        if not facts["least"] >= bar:
            out.append(f"{part}: a cosine of {facts['least']:.6f} ({facts['worst']}), {bar} is the bar")
    lost = [task for task in found["tasks"] if precision == "fp16" and not task["drop"][0] <= LOST]
    return out + [f"{task['metric']} on {task['data']} loses {task['drop'][0]:.2%}" for task in lost]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="only these")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the data sets")
    parser.add_argument("--work", type=Path, default=Path("build/coreml"))
    parser.add_argument("--count", type=int, help="compare so many inputs, all of them if there are fewer; no metrics")
    options = parser.parse_args()
    torch.set_num_threads(1)  # two that wait for one another on a busy machine take twenty times as long
    options.work.mkdir(parents=True, exist_ok=True)
    rows, tasks, wrong = [PARTS], [TASKS], []
    for name in options.models or CASES:
        bench = Bench(name, options.data, options.work, options.count)
        for precision in bench.case.precisions:
            found, title = bench.found(precision), f"{name} {precision}"
            rows += [part_row(title, part, facts) for part, facts in found["parts"].items()]
            tasks += [task_row(title, task) for task in found["tasks"]]
            wrong += [f"{title} {why}" for why in missed(precision, found)]
            print(f"{title}: {'; '.join(missed(precision, found)) or 'good'}", file=sys.stderr, flush=True)
    print("\n".join([*rows, "", *tasks, "", *(wrong or ["No bar is missed."])]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
