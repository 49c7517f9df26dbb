"""openWakeWord's networks as torch modules: equal to their .tflite files in LiteRT, and other files are refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
from helpers.cases.tflite_models import Builder
from numpy.typing import NDArray

from edgekit import models
from edgekit.core import Checkpoint
from edgekit.errors import BadInput
from edgekit.exporters.onnx.convolutions import static
from edgekit.exporters.onnx.graph import from_torch
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.models.keyword.openwakeword import networks as nets
from edgekit.models.keyword.openwakeword.ear import probability
from edgekit.models.keyword.openwakeword.shapes import EMBEDDING, MELS, OpenSettings
from edgekit.quantization.plan import Wish
from edgekit.registry import find

DATA = Path(models.__file__).parent / "data" / "golden"
MODEL = find("models", "openwakeword-hey-jarvis")
HEAD = "hey_jarvis.tflite"
MAKERS: dict[str, Callable[[Checkpoint], Any]] = {
    MELS: nets.frontend, EMBEDDING: nets.embedding, HEAD: lambda checkpoint: nets.head(checkpoint, HEAD)
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- what they compute


def test_the_spectrogram_is_decibels_over_ten_and_two_and_leaves_out_what_is_zero() -> None:
    rng = np.random.default_rng(0)
    window = np.zeros(512)
    window[57:456] = np.hanning(399)
    angles = 2 * np.pi / 512 * np.outer(np.arange(257), np.arange(512))
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) * window
    filters = np.zeros((257, 32))
    filters[2:122] = rng.random((120, 32))
    module = nets.Mels(waves, filters, 1e-10, 10 / np.log(10), 80.0)
    assert module.waves.shape == (240, 1, 397)  # 120 bins, and the samples where Hann's window is not zero
    audio = np.concatenate([rng.normal(size=800) * 0.1, rng.normal(size=960) * 1e-7])
    found = module(torch.tensor(audio[None], dtype=torch.float32)).numpy()[0]
    power = [np.abs(np.fft.rfft(audio[160 * i :][:512] * 32768 * window)) ** 2 @ filters for i in range(8)]
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    assert np.abs(found - (np.maximum(decibels, decibels.max() - 80) / 10 + 2)).max() < 1e-4
    assert found.min() == pytest.approx(found.max() - 8, abs=1e-5)  # the quiet end is at 80 decibels below


def test_a_floor_before_the_pool_and_the_relu_is_the_same_as_after_them() -> None:
    torch.manual_seed(0)
    module = nets.Embedding(-0.4, 0.2)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    window = torch.randn(1, 76, 32)
    pools = {2: (2, 2), 6: (1, 2), 10: (2, 2), 14: (1, 2), 18: (2, 2)}
    x = window[:, None]
    for i, layer in enumerate(module.layers):
        assert isinstance(layer, nets.Convolution)
        x = layer.conv(x)
        if i < 19:
            x = F.leaky_relu(x, 0.2).clamp(min=-0.4)
        x = F.max_pool2d(x, pools[i]) if i in pools else x
    found = module(window)
    assert found.shape == (1, 96) and torch.allclose(found, x.reshape(1, -1), atol=1e-5)


@pytest.mark.thorough
def test_all_of_the_embedding_is_computed_in_integers_though_its_floor_is_no_whole_step() -> None:
    torch.manual_seed(0)
    graph = from_torch(MODEL.network.parts[1], nets.Embedding(-0.4, 0.2).eval())
    feeds = [{"window": np.random.default_rng(i).normal(size=(1, 76, 32)).astype(np.float32)} for i in range(10)]
    _, _, facts = static.make(graph, feeds, "embedding", Wish(ranges="min-max"), lambda what, done, total: None)
    assert {"QLinearConv": 20, "QLinearLeakyRelu": 19, "MaxPool": 5}.items() <= facts["fused"].items()
    assert not {"Conv", "FusedConv", "Clip", "LeakyRelu"} & set(facts["fused"])


# -------------------------------------------------------------------------------------------------------- other weights


@pytest.mark.parametrize("name", MAKERS)
def test_files_that_are_absent_or_of_another_format(name: str, tmp_path: Path) -> None:
    for form, files in (("tflites", {"other.tflite": ""}), ("tflite", {name: ""}), ("numpy", {})):
        with pytest.raises(BadInput, match=re.escape(f"lack {name}")):
            MAKERS[name](Checkpoint(tmp_path, form, {}, {}, files))


@pytest.mark.parametrize("name", MAKERS)
def test_another_network_under_the_name(name: str, tmp_path: Path) -> None:
    builder = Builder()
    inputs, output = builder.tensor((1, 4, 4, 1)), builder.tensor((1, 4, 4, 1))
    content = builder.finish([inputs], [output])
    for file in (name, "another.tflite"):
        (tmp_path / file).write_bytes(content)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.format == "tflites" and set(checkpoint.files) == {name, "another.tflite"}
    with pytest.raises(BadInput, match=f"{re.escape(name)} has 0 operators"):
        MAKERS[name](checkpoint)


def test_a_damaged_file_among_several_is_refused_before_anything_runs(tmp_path: Path) -> None:
    builder = Builder()
    content = builder.finish([builder.tensor((1, 4))], [0])
    (tmp_path / "a.tflite").write_bytes(content)
    for damaged in (content[: len(content) // 2], b"nothing", b""):
        (tmp_path / "b.tflite").write_bytes(damaged)
        with pytest.raises(BadInput):
            read_checkpoint(tmp_path)


# --------------------------------------------------------------------------------------------------------- real weights


@pytest.fixture(scope="module")
def folder() -> Path:
    from edgekit.sources.fetching import fetch

    return Path(fetch(MODEL.weights.sources)[0])


class Lite:
    """A published file in LiteRT's interpreter."""

    def __init__(self, file: Path, shape: tuple[int, ...]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(file), num_threads=1)
        self._in = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.resize_tensor_input(self._in, shape)
        self._interpreter.allocate_tensors()
        self._out, self._shape = self._interpreter.get_output_details()[0]["index"], shape

    def __call__(self, value: NDArray[Any]) -> NDArray[Any]:
        self._interpreter.set_tensor(self._in, np.ascontiguousarray(value.reshape(self._shape), np.float32))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._out).copy())


def computed(module: Any, value: NDArray[Any]) -> NDArray[Any]:
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(value.astype(np.float32))).numpy())


@pytest.mark.real
def test_the_modules_are_the_published_files(folder: Path) -> None:
    """On the golden sound, call by call as in a stream: two phrases and six seconds of other speech."""
    checkpoint = read_checkpoint(folder)
    frontend, embedding, head = (make(checkpoint) for make in MAKERS.values())
    theirs = [
        Lite(folder / file, shape)
        for file, shape in ((MELS, (1, 1760)), (EMBEDDING, (1, 76, 32, 1)), (HEAD, (1, 16, 96)))
    ]
    audio, _ = soundfile.read(DATA / "openwakeword-golden.flac", dtype="int16")
    frames, off = [], 0.0
    for at in range(0, len(audio) - 1759, 1280):
        call = audio[None, at : at + 1760].astype(np.float32)
        frames.append(theirs[0](call).reshape(8, 32) / 10 + 2)
        off = max(off, float(np.abs(computed(frontend, call / 32768)[0] - frames[-1]).max()))
    assert off < 1e-4
    spectrum, embeddings = np.concatenate(frames), []
    for at in range(0, len(spectrum) - 75, 8):
        embeddings.append(theirs[1](spectrum[at : at + 76]).reshape(1, 96))
        ours = computed(embedding, spectrum[None, at : at + 76])
        assert np.abs(ours - embeddings[-1]).max() < 1e-3 * np.abs(embeddings[-1]).max()
    asked = []
    for at in range(len(embeddings) - 15):
        look = np.concatenate(embeddings[at : at + 16])[None]
        logits = computed(head, look)[0]
        asked.append(logits[0] >= 0)
        assert probability(logits) == pytest.approx(theirs[2](look).item(), abs=1e-4)
    assert any(asked) and not all(asked)  # both branches were taken


@pytest.mark.real
def test_silence_is_one_value(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    frames = computed(nets.frontend(checkpoint), np.zeros((1, 1760)))
    quiet = nets.silence(checkpoint, OpenSettings())
    assert np.ptp(frames) == 0 and quiet.frame == pytest.approx(-8, abs=1e-5) and len(quiet.embedding) == 96


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "instead"), [(MELS, EMBEDDING), (EMBEDDING, HEAD), (HEAD, MELS)], ids=["mels", "embedding", "head"]
)
def test_files_in_one_anothers_place(name: str, instead: str, folder: Path, tmp_path: Path) -> None:
    for file in MAKERS:
        shutil.copyfile(folder / (instead if file == name else file), tmp_path / file)
    with pytest.raises(BadInput, match=f"of {re.escape(name)} is"):
        MAKERS[name](read_checkpoint(tmp_path))


@pytest.mark.real
@pytest.mark.parametrize("name", MAKERS)
def test_weights_that_are_not_numbers(name: str, folder: Path, tmp_path: Path) -> None:
    from edgekit.formats.tflite import reader

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    content = bytearray((folder / name).read_bytes())
    graph = reader.read(bytes(content), dynamic=True).subgraphs[0]
    largest = max((one.data for one in graph.tensors if one.data is not None), key=lambda data: data.size)
    place = content.find(largest.tobytes())
    content[place + 4 * 1000 : place + 4 * 1000 + 4] = np.float32(np.nan).tobytes()
    (tmp_path / name).chmod(0o644)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=r"not numbers|other constants"):
        MAKERS[name](read_checkpoint(tmp_path))
