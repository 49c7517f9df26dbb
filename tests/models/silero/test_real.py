"""Silero VAD with its real weights, beside the package's own ONNX file and its own rules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit.bench import metrics
from edgekit.common.files import cache_folder
from edgekit.core import Bundle, Predictor, Source, SourceFile
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.registry import find
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.torch.runner import reference_of
from edgekit.sources import fetch
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.resolved import evidence_of, predictor_of
from edgekit.tasks.voice_activity_detection import Rules, segments

pytestmark = pytest.mark.real
CACHE = cache_folder()
MODEL = find("models", "silero-vad")
_PACKAGE = "pypi://silero-vad@6.2.3/silero_vad"
FILES = (
    SourceFile(
        "silero_vad_16k_op15.onnx",
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        1_289_603,
        (f"{_PACKAGE}/data/silero_vad_16k_op15.onnx",),
    ),
    SourceFile(
        "utils_vad.py",
        "15d0f6b3ef9590e22ca2f146e1436f6901da356cb552d3183df4100862b333cb",
        30_979,
        (f"{_PACKAGE}/utils_vad.py",),
    ),
)


@pytest.fixture(scope="module")
def package() -> Path:
    folder, _ = fetch([Source(_PACKAGE, "6.2.3", "MIT", FILES)], cache=CACHE)
    return folder


@pytest.fixture(scope="module")
def rules(package: Path) -> ModuleType:
    """The package's own code, of which only the rules are called."""
    spec = importlib.util.spec_from_file_location("silero_rules", package / "utils_vad.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def floats() -> Predictor:
    folder, _ = fetch(MODEL.weights.sources, cache=CACHE)
    checkpoint = read_checkpoint(folder)
    (part,) = MODEL.network.parts
    assert part.build is not None
    facts = MODEL.weights.prepare(checkpoint, folder)
    return predictor_of(MODEL, {"network": reference_of(part, part.build(checkpoint))}, folder, facts)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return edgekit.export("silero-vad", precision="int8", out=tmp_path_factory.mktemp("b") / "b", fallback=False)


def clips(data: Path) -> list[Path]:
    return sorted((data / "librispeech-test-other").rglob("*.flac"))[::12] + [data / "speech" / "jfk.flac"]


#: Tensor of the package's ONNX file -> the same in its safetensors. The two files hold two trainings of one network.
_SAME = {
    "model.stft.forward_basis_buffer": "stft_conv.weight",
    **{
        f"model.encoder.{i}.reparam_conv.{kind}": f"conv{i + 1}.{kind}" for i in range(4) for kind in ("weight", "bias")
    },
    **{
        f"model.decoder.rnn.{kind}_{side}": f"lstm_cell.{kind}_{side}"
        for kind in ("weight", "bias")
        for side in ("ih", "hh")
    },
    **{f"model.decoder.decoder.2.{kind}": f"final_conv.{kind}" for kind in ("weight", "bias")},
}


@pytest.fixture(scope="module")
def graph(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's own graph, with the weights that our model is declared with."""
    import onnx
    from onnx import numpy_helper

    weights = read_checkpoint(fetch(MODEL.weights.sources, cache=CACHE)[0]).tensors
    model = onnx.load(package / "silero_vad_16k_op15.onnx")
    constants = [(node.output[0], attribute.t) for node in model.graph.node for attribute in node.attribute]
    replaced = 0
    for name, tensor in [*((one.name, one) for one in model.graph.initializer), *constants]:
        if name in _SAME:
            values = np.asarray(weights[_SAME[name]], np.float32).reshape(tuple(tensor.dims))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            replaced += 1
    assert replaced == len(_SAME)
    file = tmp_path_factory.mktemp("silero") / "graph.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def heard(file: Path, sound: NDArray[np.float32]) -> list[float]:
    """The probabilities of the package's own file, fed as its wrapper does."""
    runner = OnnxRunner(file, 1)
    state, context, out = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for start in range(0, len(sound), 512):
        frame = np.zeros(512, np.float32)
        frame[: len(sound[start : start + 512])] = sound[start : start + 512]
        window = np.concatenate([context, frame])[None]
        made = list(runner({"input": window, "state": state, "sr": np.array(16_000, np.int64)}).values())
        out.append(float(made[0].reshape(-1)[0]))
        state, context = made[1], frame[-64:]
    return out


def test_probabilities_and_spans_are_the_packages(
    graph: Path, rules: ModuleType, floats: Predictor, shared_data: Path
) -> None:
    for clip in clips(shared_data):
        sound = open_audio(str(clip), 16_000).window(0, 10**9)
        wanted = heard(graph, sound)
        answer = floats.predict(str(clip))
        np.testing.assert_allclose(answer.details["probabilities"], wanted, atol=2e-4)
        spans = rules.get_speech_timestamps_from_probs(wanted, audio_length_samples=len(sound))
        assert [(round(s["start"] * 16_000), round(s["end"] * 16_000)) for s in answer.details["speech"]] == [
            (span["start"], span["end"]) for span in spans
        ]


@pytest.mark.parametrize("seed", range(40))
def test_rules_are_the_packages_on_any_probabilities(rules: ModuleType, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.repeat(random.random(60), random.integers(1, 9, 60)).tolist()
    size = len(values) * 512 - int(random.integers(0, 512))
    mine: dict[str, Any] = {
        "threshold": float(random.choice([0.3, 0.5, 0.7])),
        "shortest": float(random.choice([0, 0.064, 0.25, 0.256])),
        "pause": float(random.choice([0, 0.064, 0.1, 0.5])),
        "padding": float(random.choice([0, 0.03, 0.2])),
        "longest": float(random.choice([np.inf, 2, 3.3])),
    }
    wanted = rules.get_speech_timestamps_from_probs(
        values,
        audio_length_samples=size,
        threshold=mine["threshold"],
        min_speech_duration_ms=mine["shortest"] * 1000,
        min_silence_duration_ms=mine["pause"] * 1000,
        speech_pad_ms=mine["padding"] * 1000,
        max_speech_duration_s=mine["longest"],
    )
    spans = segments(values, Rules(**mine), seconds=size / 16_000)
    assert [(round(start * 16_000), round(end * 16_000)) for start, end in spans] == [
        (span["start"], span["end"]) for span in wanted
    ]


def test_joined_speech_and_pauses_are_told_apart(small: Bundle, floats: Predictor) -> None:
    evidence = evidence_of(MODEL)
    assert evidence is not None
    samples = evidence.samples(Path())[12:]
    metric = metrics.find("frame-error")
    rates = []
    for predictor in (floats, edgekit.load(small.path)):
        scores = [predictor.predict(sample.input).metric_input for sample in samples]
        rates.append(metrics.aggregate(metric, metrics.score(metric, scores, [sample.truth for sample in samples])))
    assert rates[0] < 0.12 and abs(rates[1] - rates[0]) < 0.005


def test_int8_is_small_and_decides_as_float(small: Bundle) -> None:
    assert (small.path / "network.onnx").stat().st_size < 1.15 * MODEL.network.parameters
    kept = small.manifest.evidence
    assert kept is not None and kept.agreement.same == kept.agreement.of
    assert kept.agreement.figures["share of frames with the same decision"] >= 0.995
    edgekit.verify(small.path)
