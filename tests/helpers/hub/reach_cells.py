"""The cells of an architecture: imported, exported by an exporter, and compared with the fp32 reference."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.hub.architectures import Architecture, write

from edgekit.core import Checkpoint, Feeds, ImportOptions, Model, Recipe, Sample
from edgekit.errors import EdgekitError
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.importers.resolved import model_of
from edgekit.numerics.parity import Recorder, limit_of, part_error
from edgekit.registry import find, serving
from edgekit.runtimes.resolved import recipe_of, runtime_for
from edgekit.runtimes.torch.runner import reference_of
from edgekit.tasks.resolved import predictor_of

#: Samples that calibrate, and that are compared.
CALIBRATING, COMPARED = 12, 4
#: The largest error of a cell in float32, and in half precision; int8 has the limit of parity.
FLOAT, HALF = 1e-3, 1e-2
PRECISIONS = {"onnx": ("fp32", "int8"), "litert": ("fp32", "int8"), "coreml": ("fp16",), "executorch": ("fp32",)}


def cells(architecture: Architecture, folder: Path, exporters: Sequence[str]) -> Iterator[dict[str, Any]]:
    """``{"name", "task", "exporter", "precision", "error", "said", "seconds"}`` of each cell."""
    if not (folder / "config.json").is_file():
        write(architecture, folder)
    checkpoint = read_checkpoint(folder)
    models = {task: model_of(str(folder), ImportOptions(task=task)) for task in architecture.tasks}
    for exporter in exporters:
        for task, model in models.items():
            served = serving(model, exporter)
            calls = _calls(served, checkpoint, folder)
            for precision in PRECISIONS[exporter]:
                cell = {"name": architecture.name, "task": task, "exporter": exporter, "precision": precision}
                began = time.perf_counter()
                error, said = _cell(served, checkpoint, recipe_of(runtime_for(exporter), precision), calls)
                yield {**cell, "error": error, "said": said, "seconds": round(time.perf_counter() - began, 1)}


def within(cell: Mapping[str, Any]) -> bool:
    """Whether a cell reaches its bar."""
    limit = {"fp32": FLOAT, "fp16": HALF, "int8": limit_of("int8")}[cell["precision"]]
    return cell["error"] is not None and cell["error"] <= limit


def _calls(model: Model, checkpoint: Checkpoint, folder: Path) -> Mapping[str, Any]:
    """Part -> its calls on real samples (noise, if it has no task): those that calibrate, then the others."""
    recorders = {
        part.name: Recorder(reference_of(part, part.build(checkpoint))) for part in model.network.parts if part.build
    }
    predictor = predictor_of(model, recorders, folder, model.weights.prepare(checkpoint, folder))
    evidence = model.task.evidence or find("tasks", model.task.name).evidence
    assert evidence is not None
    samples = evidence.samples(folder)
    half = len(samples) // 2
    for sample in (*_even(samples[:half], CALIBRATING), *_even(samples[half:], COMPARED)):
        predictor.predict(sample.input)
    return {name: recorder.calls for name, recorder in recorders.items()}


def _even(samples: Sequence[Sample], most: int) -> Sequence[Sample]:
    return [samples[i * len(samples) // most] for i in range(most)] if len(samples) > most else samples


def _cell(model: Model, checkpoint: Checkpoint, recipe: Recipe, calls: Mapping[str, Any]) -> tuple[float | None, str]:
    """The largest error of a part, or what the exporter says."""
    exporter = find("exporters", recipe.exporter)
    calibration: dict[str, Sequence[Feeds]] = {
        part: [feeds for feeds, _ in made[:CALIBRATING]] for part, made in calls.items()
    }
    with tempfile.TemporaryDirectory(prefix="reach-") as scratch:
        out, work = Path(scratch) / "out", Path(scratch) / "work"
        out.mkdir()
        work.mkdir()
        try:
            artifacts = exporter.export(model, checkpoint, recipe, calibration, out, work, lambda *_: None)
            runners = {
                artifact.part: find("runtimes", recipe.runtime).load(out / artifact.file, 1) for artifact in artifacts
            }
            if unable := next((runner.unable for runner in runners.values() if runner.unable), ""):
                return None, f"written, and not computed here: {unable}"
            errors = [part_error(runner, calls[part][CALIBRATING:], COMPARED) for part, runner in runners.items()]
        except EdgekitError as exc:
            return None, exc.message
        except Exception as exc:  # what no typed error says is a defect, and is shown as such
            line = (str(exc).strip().splitlines() or [""])[0]
            return None, f"UNTYPED {type(exc).__name__}: {line[:200]}"
    return max(errors), ""
