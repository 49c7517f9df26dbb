"""ONNX files on OpenVINO: same answers, integers where the file has them, clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys import tiny_stream
from helpers.toys.bare import bare_model
from helpers.toys.tiny_vision import LAYERS, PART, SIZE, Tiny, export, pictures
from onnx import TensorProto, helper, numpy_helper, save

from edgekit.bundles.places import placement_of
from edgekit.common.processors import overflows_on_bytes
from edgekit.core import Artifact, Checkpoint, Lowering, Recipe, TensorSpec
from edgekit.errors import BadInput, ExportFailed, MissingExtra, Unsupported, install_command
from edgekit.exporters.onnx import EXPORTER
from edgekit.numerics.parity import relative_error
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.openvino import RUNTIME
from edgekit.runtimes.openvino.runner import OpenvinoRunner
from edgekit.runtimes.torch.runner import TorchRunner

ABOUT = Lowering(PART, None, [(pictures(1)[0], {})])
#: How far int8 may be from float here. Without VNNI it adds products in 16 bits, which overflow (docs/limits.md).
BOUND = 0.12 if overflows_on_bytes() else 0.05

if not os.environ.get("CI"):  # there nothing is skipped: the tests fail without it
    pytest.importorskip("openvino", reason="openvino is not installed; run: make .venv/.wheel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openvino")


@pytest.fixture(scope="module")
def made(folder: Path) -> Artifact:
    return lowered(folder, {"network": pictures(40)})


@pytest.fixture(scope="module")
def runner(made: Artifact, folder: Path) -> Any:
    return RUNTIME.load(folder / "out" / made.file, 1)


def lowered(folder: Path, calibration: Any, precision: str = "int8") -> Artifact:
    return RUNTIME.lower(export(EXPORTER, folder, calibration, precision, runtime="openvino"), folder / "out", ABOUT)


def moved(runner: Any) -> float:
    fresh, reference = pictures(20, seed=5), TorchRunner(PART, Tiny())
    found, wanted = ([np.concatenate([run(feed)["logits"] for feed in fresh])] for run in (runner, reference))
    return relative_error([{"logits": found[0]}], [{"logits": wanted[0]}])


def test_it_answers_like_float(runner: Any) -> None:
    assert moved(runner) < BOUND


def test_an_output_that_is_a_view_of_another_tensor_keeps_its_name(tmp_path: Path) -> None:
    """A network with a stream, gates and one position: the same names and nearly the same values as in float."""
    part = tiny_stream.PART
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    checkpoint, recipe = Checkpoint(Path("toy"), "toy", {}, {}, {}), Recipe("openvino", "int8", {})
    feeds = {part.name: tiny_stream.sounds(40)}
    folders = tmp_path / "out", tmp_path / "work"
    [made] = EXPORTER.export(bare_model(part), checkpoint, recipe, feeds, *folders, lambda *_: None)
    ours, reference = RUNTIME.load(tmp_path / "out" / made.file, 1), TorchRunner(part, tiny_stream.TinyStream().eval())
    fresh = tiny_stream.sounds(10, seed=7)
    assert [spec.name for spec in ours.outputs] == ["vector"]
    assert relative_error([ours(feed) for feed in fresh], [reference(feed) for feed in fresh]) < BOUND


def test_openvino_computes_all_of_it_in_integers(made: Artifact) -> None:
    placement = placement_of(made.census)
    assert placement is not None and len(made.census["layers"]) == LAYERS
    assert (placement.multiplications, placement.weights, placement.left) == (1.0, 1.0, {})


def test_first_layers_are_int8_because_float_takes_longer_here(made: Artifact, tmp_path: Path) -> None:
    assert RUNTIME.costs["first convolution"]["float"] > 1
    elsewhere = export(EXPORTER, tmp_path, {"network": pictures(40)})
    floats = [sum(one["form"] == "float" for one in each.census["layers"].values()) for each in (made, elsewhere)]
    assert floats[0] <= floats[1]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_float_is_float(precision: str, made: Artifact, tmp_path: Path) -> None:
    artifact = lowered(tmp_path, {}, precision)
    runner = OpenvinoRunner(tmp_path / "out" / artifact.file, 1)
    layers = {name: kernel for names, kernel in runner.kernels() for name in names if name in made.census["layers"]}
    assert layers and all(kernel.endswith("f32") for kernel in layers.values())
    assert moved(runner) < (1e-5 if precision == "fp32" else 2e-3)


def test_an_answer_outlives_the_next_call(runner: Any) -> None:
    one, other = pictures(2, seed=9)
    first = runner(one)["logits"]
    kept = first.copy()
    runner(other)
    assert np.array_equal(first, kept)


def test_inputs_and_outputs_are_those_of_the_part(runner: Any) -> None:
    assert (runner.inputs, runner.outputs) == (PART.inputs, PART.outputs)
    assert runner.inputs == (TensorSpec("pixels", "uint8", (1, SIZE, SIZE, 3)),)


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ({}, "'pixels' is missing"),
        ({"image": np.zeros(1)}, "no input 'image'"),
        ({"pixels": np.zeros((1, SIZE, SIZE, 3), np.float32)}, "must be uint8"),
        ({"pixels": np.zeros((1, SIZE, 3), np.uint8)}, "must be uint8"),
        ({"pixels": np.zeros((1, SIZE + 1, SIZE, 3), np.uint8)}, "must be uint8"),
    ],
)
def test_wrong_input(runner: Any, feeds: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        runner(feeds)


def test_a_damaged_file(tmp_path: Path, made: Artifact, folder: Path) -> None:
    damaged = tmp_path / "network.onnx"
    damaged.write_bytes((folder / "out" / made.file).read_bytes()[:500])
    with pytest.raises(BadInput, match=r"OpenVINO .* refuses network\.onnx"):
        RUNTIME.load(damaged, 1)


def test_a_layer_that_became_float_is_refused(made: Artifact, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_is = OpenvinoRunner.kernels
    monkeypatch.setattr(OpenvinoRunner, "kernels", lambda self: [(names, "jit_f32") for names, _ in as_it_is(self)])
    with pytest.raises(ExportFailed, match=f"{LAYERS} of {LAYERS} layers") as caught:
        RUNTIME.lower(made, folder / "out", ABOUT)
    assert next(iter(made.census["layers"])) in caught.value.message


def test_a_file_that_openvino_cannot_run(made: Artifact, tmp_path: Path) -> None:
    (tmp_path / made.file).write_bytes(b"no network")
    with pytest.raises(ExportFailed, match="OpenVINO cannot run the part 'network'") as caught:
        RUNTIME.lower(made, tmp_path, ABOUT)
    assert "--runtime onnxruntime" in str(caught.value.hint)


@pytest.mark.parametrize("rows", [8, "rows"])
def test_openvino_takes_scales_of_an_axis_without_a_size_along_the_last_one(rows: int | str, tmp_path: Path) -> None:
    """Why there is a constraint. Where the sizes allow it there is no word of it; once this fails it is mended."""
    kinds = (("x", TensorProto.FLOAT), ("y", TensorProto.UINT8))
    ends = [helper.make_tensor_value_info(name, kind, [1, rows, 8]) for name, kind in kinds]
    nodes = [
        helper.make_node("ReduceMax", ["x", "last"], ["scale.flat"], keepdims=1),
        helper.make_node("Reshape", ["scale.flat", "last"], ["scale"]),
        helper.make_node("Shape", ["scale"], ["count"]),
        helper.make_node("Expand", ["middle", "count"], ["zeros"]),
        helper.make_node("QuantizeLinear", ["x", "scale", "zeros"], ["y"], axis=-2),
    ]
    held = {"last": np.array([-1]), "middle": np.array([128], np.uint8)}
    graph = helper.make_graph(
        nodes, "rows", ends[:1], ends[1:], [numpy_helper.from_array(value, name) for name, value in held.items()]
    )
    file = tmp_path / "rows.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), file)
    x = np.arange(1, 65, dtype=np.float32).reshape(1, 8, 8) / 8
    found, wanted = (run(file, 1)({"x": x})["y"] for run in (OpenvinoRunner, OnnxRunner))
    assert (found == wanted).all() == (rows == 8)


def test_an_unknown_precision(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no precision 'int4'"):
        export(EXPORTER, tmp_path, {}, "int4", runtime="openvino")


def test_without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match="'openvino'") as caught:
        RUNTIME.require()
    assert install_command("openvino") in caught.value.hint


INTERRUPTED = """
import gc, signal, sys
from pathlib import Path
import numpy as np
from edgekit.runtimes.openvino import RUNTIME

for _ in range(2):
    runner = RUNTIME.load(Path(sys.argv[1]), 1)
    runner({spec.name: np.zeros(spec.shape, spec.dtype) for spec in runner.inputs})
del runner
gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_after_openvino_was_there_is_only_an_interrupt(made: Artifact, folder: Path) -> None:
    """It leaves a signal stack behind that it has freed: see `edgekit.runtimes.openvino.signal_stack`."""
    command = [sys.executable, "-X", "faulthandler", "-c", INTERRUPTED, str(folder / "out" / made.file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
