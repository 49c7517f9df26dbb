"""Basic Pitch with its real weights, beside the package's own file and its own making of notes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

import edgekit
from edgekit.bench.metrics.notes import onset_f1
from edgekit.common.files import cache_folder
from edgekit.core import Checkpoint, Predictor, Source, SourceFile
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.music.network import network
from edgekit.models.music.shapes import FRAME, OVERLAP, PER_SECOND, RATE, WINDOW
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.resolved import recipe_of
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.automatic_music_transcription.notes import NoteRules, framed_notes
from edgekit.tasks.resolved import evidence_of, predictor_of

MODEL = find("models", "basic-pitch")
CACHE = cache_folder()
_NOTES = SourceFile(
    "note_creation.py",
    "9c813509acf57ed9b902d2b9fcd9f8118b2c5ffe568a06df9cfa60f5c5ee2572",
    18_929,
    ("pypi://basic-pitch@0.4.0/basic_pitch/note_creation.py",),
)
Floats = NDArray[np.float32]
Polyphonic = Callable[[Floats, Floats], list[tuple[int, int, int, float]]]


@pytest.fixture(scope="module")
def polyphonic() -> Polyphonic:
    """The package's own function; what it imports besides is not installed, and not called."""
    folder, _ = fetch([Source("pypi://basic-pitch", "0.4.0", "Apache-2.0", (_NOTES,))], cache=CACHE)
    wanted = {"output_to_notes_polyphonic", "get_infered_onsets", "constrain_frequency"}
    tree = ast.parse((folder / _NOTES.name).read_text(encoding="utf-8"))
    chosen = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in wanted]
    for node in chosen:  # annotations need names that are not here
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
    names: dict[str, Any] = {"np": np, "scipy": scipy, "librosa": SimpleNamespace(), "MIDI_OFFSET": 21}
    names["MAX_FREQ_IDX"] = 87
    exec(compile(ast.Module(chosen, []), _NOTES.name, "exec"), names)
    function = names["output_to_notes_polyphonic"]
    return lambda frames, onsets: [
        (int(start), int(end), int(pitch) - 21, float(strength))
        for start, end, pitch, strength in function(
            frames.copy(), onsets.copy(), 0.5, 0.3, 11, infer_onsets=True, max_freq=None, min_freq=None
        )
    ]


@pytest.fixture(scope="module")
def weights() -> Checkpoint:
    folder, _ = fetch(MODEL.weights.sources, cache=CACHE)
    return read_checkpoint(folder)


@pytest.fixture(scope="module")
def floats(weights: Checkpoint) -> Predictor:
    (part,) = MODEL.network.parts
    assert part.build is not None
    runner = reference_of(part, part.build(weights))
    return predictor_of(MODEL, {"network": runner}, Path(), MODEL.weights.prepare(weights, Path()))


@pytest.mark.real
@pytest.mark.parametrize("seed", range(6))
def test_notes_are_the_packages_on_any_activations(polyphonic: Polyphonic, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames, onsets = (np.repeat(random.random((60, 88)) ** power, 5, axis=0) for power in (3, 6))
    frames = (0.8 * frames + 0.2 * random.random(frames.shape)).astype(np.float32)
    onsets = (0.8 * onsets + 0.2 * random.random(frames.shape)).astype(np.float32)
    made = sorted((note.start, note.end, note.key) for note in framed_notes(frames, onsets, NoteRules()))
    wanted = sorted(note[:3] for note in polyphonic(frames, onsets))
    assert made == wanted and len(made) > 20


@pytest.mark.real
def test_activations_are_those_of_the_packages_file(weights: Checkpoint, floats: Predictor) -> None:
    evidence = evidence_of(MODEL)
    assert evidence is not None
    sound = evidence.samples(Path())[12].input
    before = OVERLAP // 2 * FRAME
    window = np.concatenate([np.zeros(before, np.float32), sound])[:WINDOW]
    own = OnnxRunner(weights.path, 1)
    onset, note, _ = own({own.inputs[0].name: window[None, :, None]}).values()
    (part,) = MODEL.network.parts
    assert part.build is not None
    made = reference_of(part, part.build(weights))({"audio": window[None, :, None]})
    np.testing.assert_allclose(made["note"], note, atol=1e-4)
    np.testing.assert_allclose(made["onset"], onset, atol=1e-4)


@pytest.mark.real
def test_played_scores_are_heard(floats: Predictor, shared_data: Path) -> None:
    evidence = evidence_of(MODEL)
    assert evidence is not None
    samples = evidence.samples(Path())[:6]
    answers = [floats.predict(sample.input) for sample in samples]
    pairs = onset_f1([answer.metric_input for answer in answers], [sample.truth for sample in samples])
    assert sum(twice for twice, _ in pairs) / sum(count for _, count in pairs) > 0.8
    speech = floats.predict(str(shared_data / "speech" / "jfk.flac"))
    assert speech.units["audio_seconds"] == pytest.approx(11.0)


@pytest.mark.real
def test_a_bundle_writes_midi(tmp_path: Path) -> None:
    bundle = edgekit.export("basic-pitch", precision="fp32", out=tmp_path / "b")
    kept = bundle.manifest.evidence
    assert kept is not None and kept.agreement.same == kept.agreement.of == 12
    answer = edgekit.load(bundle.path).predict(
        str(bundle.path / bundle.manifest.golden.input), out=str(tmp_path / "tune.mid")
    )
    assert [note["pitch"] for note in answer.details["events"]][:4] == [60, 64, 67, 72]
    assert (tmp_path / "tune.mid").read_bytes()[:4] == b"MThd"


@pytest.mark.real
def test_it_becomes_a_core_ml_program(tmp_path: Path) -> None:
    bundle = edgekit.export("basic-pitch", target="ios", evidence=False, out=tmp_path / "b")
    parity = bundle.manifest.parts[0].parity
    assert parity is not None and parity < 0.01


def test_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nmp.onnx, not as pitch.tflite"):
        network(Checkpoint(tmp_path / "pitch.tflite", "tflite", {}, {}, {}))


def test_windows_and_frames_fit_together() -> None:
    assert RATE * 2 - FRAME == WINDOW and PER_SECOND == RATE // FRAME
    assert MODEL.costs.work is not None
    (work,) = MODEL.costs.work(recipe_of("onnxruntime", "int8"))
    assert work.macs > 100_000_000
