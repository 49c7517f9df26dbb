"""The C of real networks against TensorFlow Lite Micro: random inputs and real ones, in every layout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.cases.c_networks import Batch
from numpy.typing import NDArray

import edgekit
from edgekit.exporters.c import arena, write
from edgekit.exporters.c.layouts import layout as c_layout
from edgekit.exporters.c.lowering import graph
from edgekit.formats.tflite import reader
from edgekit.registry import find, serving
from edgekit.runtimes.tflite_micro.runner import MicroRunner
from edgekit.sources.fetching import fetch
from edgekit.tasks.common import pictures

pytestmark = pytest.mark.real

NETWORKS = (
    *("kws_ref_int8", "vww_96_int8", "ad01_int8", "streaming_wakeword_int8"),
    pytest.param("resnet8_int8", marks=pytest.mark.slow),
)
WAKEWORDS = ("okay-nabu", "hey-jarvis", "alexa", "hey-mycroft")
RANDOM = 1000


def real_inputs(name: str, data: Path) -> Iterator[NDArray[Any]]:
    """Real inputs that the shared data has for a network: all features, every tenth photo."""
    if name == "kws_ref_int8":
        for path in sorted((data / "mlperf-tiny-kws" / "features").iterdir()):
            yield np.frombuffer(path.read_bytes(), np.int8).reshape(1, 49, 10, 1)
    size = {"vww_96_int8": 96, "resnet8_int8": 32}.get(name)
    if size:
        for path in sorted((data / "imagenet-sample" / "images").iterdir())[::10]:
            pixels = pictures.resize_image(pictures.open_image(path)[0], size, size)
            yield (pixels ^ np.uint8(128)).view(np.int8)[None]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_exact(tmp_path: Path, shared_data: Path, name: str) -> None:
    content = (shared_data.parent / "models" / "mlperf-tiny" / f"{name}.tflite").read_bytes()
    runners = [Batch(tmp_path / layout, [content], layout).runner(0) for layout in c_layout.LAYOUTS]
    specification = MicroRunner(content, runners[0].inputs, runners[0].outputs)
    rng = np.random.default_rng(1)
    shape = tuple(int(size) for size in specification.inputs[0].shape)
    count = RANDOM if specification.inputs[0].shape[1] < 90 else RANDOM // 10  # a picture takes twenty times as long
    random = (rng.integers(-128, 128, shape).astype(np.int8) for _ in range(count))
    for inputs in (real_inputs(name, shared_data), random):
        for i, value in enumerate(inputs):
            expected = specification({"in0": value})["out0"]
            for layout, runner in zip(c_layout.LAYOUTS, runners, strict=True):
                assert np.array_equal(expected, runner({"in0": value})["out0"]), f"input {i}, {layout}"


@pytest.mark.parametrize("layout", c_layout.LAYOUTS)
@pytest.mark.parametrize("name", WAKEWORDS)
def test_a_streaming_network_is_exact(tmp_path: Path, jfk_features: NDArray[Any], name: str, layout: str) -> None:
    """Over a stream of real features, with a reset in between, and over noise."""
    folder, _ = fetch(serving(find("models", name), "c").weights.sources)
    content = (folder / "network.tflite").read_bytes()
    runner = Batch(tmp_path / "c", [content], layout).runner(0)
    specification = MicroRunner(content, runner.inputs, runner.outputs)
    stride = int(runner.inputs[0].shape[1])
    frames = jfk_features[: len(jfk_features) // stride * stride].reshape(-1, 1, stride, 40)
    noise = np.random.default_rng(2).integers(-128, 128, (RANDOM, 1, stride, 40)).astype(np.int8)
    answers = set()
    for stream in (frames, frames[100:], noise):
        runner.reset()
        specification.reset()
        for i, value in enumerate(stream):
            expected, actual = specification({"in0": value})["out0"], runner({"in0": value})["out0"]
            assert np.array_equal(expected, actual), f"call {i}"
            answers.add(int(expected.reshape(-1)[0]))
    assert len(answers) > 1, "a network that always gives the same proves nothing"


@pytest.fixture(scope="module")
def jfk_features() -> NDArray[Any]:
    """Micro frontend features int8 [frames, 40] of the 11 s clip in the package."""
    from edgekit.core import Checkpoint

    model = serving(find("models", "okay-nabu"), "c")
    sound = Path(str(edgekit.__file__)).parent / "models" / "data" / "golden" / "jfk.flac"
    frontend = model.network.parts[0]
    samples, rate = soundfile.read(sound, dtype="int16")
    assert rate == 16_000
    runner = frontend.build(Checkpoint(sound, "none", {}, {}, {}))
    features: NDArray[Any] = runner({frontend.inputs[0].name: samples})[frontend.outputs[0].name]
    return features


def test_generating_vww_takes_less_than_five_seconds(shared_data: Path) -> None:
    """Two hundredfold headroom on this bar, so that a busy machine does not matter."""
    content = (shared_data.parent / "models" / "mlperf-tiny" / "vww_96_int8.tflite").read_bytes()
    start = time.process_time()
    program = graph.lower(reader.read(content), "dsp")
    write.write(program, arena.plan(program), "network", "vww.tflite")
    assert time.process_time() - start < 5
