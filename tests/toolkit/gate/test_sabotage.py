"""Floors that hold: of a broken network no verdict is a pass, in export and in verify, of every task with evidence."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.sabotage import SABOTAGES, sabotage
from helpers.toys import toy_model

import edgekit
from edgekit.bundles.bundle import open_bundle
from edgekit.errors import EdgekitError, ExportFailed, GateFailed, ParityFailed
from edgekit.exporters.onnx import OnnxExporter
from edgekit.gate.evidence import measure_agreement
from edgekit.registry import find, names
from edgekit.tasks.resolved import evidence_of

#: Task -> a model of edgekit, and whether it takes minutes.
MODELS = {
    "audio-classification": ("ds-cnn-kws", False),
    "audio-speaker-verification": ("ge2e-speaker", True),
    "automatic-music-transcription": ("basic-pitch", True),
    "automatic-speech-recognition": ("whisper-tiny-en", True),
    "feature-extraction": ("all-minilm-l6-v2", True),
    "graph-ml": ("proteinmpnn", True),
    "image-classification": ("mobilenet-v1-025-vww", False),
    "image-segmentation": ("selfie-segmentation", True),
    "image-to-text": ("pp-ocr-v4", True),
    "keypoint-detection": ("hand-landmarks", True),
    "object-detection": ("blazeface", True),
    "recommendation": ("two-tower-movielens", False),
    "reinforcement-learning": ("half-cheetah-policy", False),
    "text-to-speech": ("piper-joe", True),
    "time-series-forecasting": ("fracast", True),
    "unconditional-image-generation": ("ddpm-fashion", True),
    "voice-activity-detection": ("silero-vad", True),
}
#: Tasks whose evidence no .onnx of edgekit's own models answers; broken language models are in test_language.py.
ELSEWHERE = {"text-generation", "text-classification", "fill-mask", "image-feature-extraction"}


@pytest.mark.parametrize("task", names("tasks"))
def test_every_task_with_evidence_is_tried(task: str) -> None:
    if find("tasks", task).agreement is not None and find("tasks", task).evidence is not None:
        assert task in MODELS or task in ELSEWHERE


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, Path]]:
    yield {}


def broken(bundle: Path, place: Path, how: str) -> Path:
    """The bundle with its largest network broken, and a manifest that says so of no file."""
    shutil.copytree(bundle, place)
    parts = [part for part in open_bundle(bundle).manifest.parts if part.name != "frontend"]
    sabotage(max((place / part.file for part in parts), key=lambda path: path.stat().st_size), how)
    toy_model.forge(place)
    return place


@pytest.mark.timeout(3600)  # a broken Whisper talks on, clip by clip
@pytest.mark.parametrize("how", SABOTAGES)
@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=pytest.mark.slow if slow else pytest.mark.real) for task, (_, slow) in MODELS.items()],
)
def test_no_broken_network_passes(
    task: str, how: str, made: dict[str, Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = MODELS[task][0]
    assert evidence_of(find("models", name)) is not None
    if task not in made:
        place = tmp_path_factory.mktemp(name) / "whole"
        whole = edgekit.export(name, runtime="onnxruntime", precision="fp32", out=place).manifest.evidence.agreement
        assert whole.verdict in ("pass", "undecided"), whole.reason
        assert whole.same == whole.of and str(whole.sources) in whole.reason
        made[task] = place
    bundle = broken(made[task], tmp_path / "broken", how)
    try:
        verdict = measure_agreement(open_bundle(bundle), lambda *_: None).verdict
    except EdgekitError:  # its answers cannot be read
        verdict = "fail"
    assert verdict != "pass"
    with contextlib.suppress(GateFailed, ParityFailed):
        assert edgekit.verify(bundle)["agreement"].verdict != "pass"


@pytest.mark.real
@pytest.mark.parametrize("how", SABOTAGES)
def test_no_broken_network_is_exported_with_a_pass(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = OnnxExporter.export

    def wrong(
        self: OnnxExporter, model: Any, checkpoint: Any, recipe: Any, calibration: Any, out: Path, *rest: Any
    ) -> Any:
        artifacts = write(self, model, checkpoint, recipe, calibration, out, *rest)
        sabotage(out / artifacts[-1].file, how)
        return artifacts

    monkeypatch.setattr(OnnxExporter, "export", wrong)
    with contextlib.suppress(GateFailed, ParityFailed, ExportFailed):
        made = edgekit.export(
            "vit-fashion", runtime="onnxruntime", precision="fp32", out=tmp_path / "b", fallback=False
        )
        assert made.manifest.evidence.agreement.verdict != "pass"
