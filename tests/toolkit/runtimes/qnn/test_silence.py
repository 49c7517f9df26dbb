"""Ways in which work comes back to the CPU, and nobody is told, or something else is computed: each is told here.

They ask Qualcomm's own libraries: `make accelerator-tools` installs them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.absence import skip_without
from onnx import TensorProto, helper, numpy_helper

import edgekit
from edgekit.bundles.places import placement_of
from edgekit.core import Artifact, Axis, Lowering, Part, Placement, Recipe, TensorSpec
from edgekit.errors import BadInput, CannotRun, ParityFailed, UnknownName, Unsupported
from edgekit.gate import placing
from edgekit.registry import find
from edgekit.runtimes.qnn import RUNTIME, runner

BOARD = find("targets", "android").boards["sm8650"]

skip_without("onnxruntime_qnn", "Qualcomm's libraries are", "accelerator-tools")


def part(rows: int | str = 1, axis: Axis | None = None) -> Part:
    spec, out = TensorSpec("x", "float32", (rows, 8)), TensorSpec("y", "float32", (rows, 4))
    return Part("network", (spec,), (out,), {rows: axis} if isinstance(rows, str) and axis else {}, None)


def write(folder: Path, rows: int | str = 1, extra: Sequence[Any] = (), weights: Any = None) -> Artifact:
    """A product of [rows, 8] x [8, 4] with a sum; `extra` nodes go from "z" to "y"."""
    drawn = np.random.default_rng(0)
    weights = drawn.standard_normal((8, 4)).astype(np.float32) if weights is None else weights
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z" if extra else "y"], name="product"), *extra]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (rows, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (rows, 4))],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / "network.onnx")
    return Artifact("network", "network.onnx", {})


def calls(*rows: int) -> list[Any]:
    drawn = np.random.default_rng(1)
    return [({"x": drawn.standard_normal((n, 8)).astype(np.float32)}, {}) for n in rows]


def place(made: Artifact) -> Placement:
    placement = placement_of(made.census)
    assert placement is not None
    return placement


def lower(folder: Path, about: Lowering | None = None, **graph: Any) -> Artifact:
    made = write(folder, **graph)
    return RUNTIME.lower(made, folder, about or Lowering(part(), BOARD, calls(1)))


def test_a_whole_graph_is_placed_and_the_simulator_computes_it(tmp_path: Path) -> None:
    placement = place(lower(tmp_path))
    assert (placement.multiplications, placement.weights, placement.pieces, placement.left) == (1.0, 1.0, 1, {})
    assert all((tmp_path / name).is_file() for name in placement.files)
    (feeds, _), *_ = calls(1)
    here = find("runtimes", "onnxruntime").load(tmp_path / "network.onnx", 1)(feeds)["y"]
    there = RUNTIME.load(tmp_path / "network.onnx", 1)(feeds)["y"]
    assert not np.array_equal(here, there), "these are not the processor's bits: the simulator has half precision"
    np.testing.assert_allclose(there, here, atol=0.02)


def test_a_chip_that_the_libraries_do_not_know_is_no_chip(tmp_path: Path) -> None:
    """They say so in a log, and leave everything to the CPU."""
    about = Lowering(part(), replace(BOARD, unit="999"), calls(1))
    placement = place(lower(tmp_path, about))
    assert placement.verdict == "leave it off" and not placement.files
    assert not list(tmp_path.glob("*.bin"))


def test_no_chip_and_another_vendors_chip_are_refused(tmp_path: Path) -> None:
    for board in (None, replace(BOARD, runtime="another")):
        with pytest.raises(Unsupported, match="chip"):
            lower(tmp_path, Lowering(part(), board, calls(1)))


def test_the_command_refuses_chips_that_do_not_go_with_the_runtime() -> None:
    for options, error in (
        ({"runtime": "qnn"}, Unsupported),
        ({"runtime": "qnn", "board": "sm8999"}, UnknownName),
        ({"runtime": "qnn", "board": "nucleo-l4r5zi"}, UnknownName),
        ({"runtime": "litert", "board": "sm8650"}, Unsupported),
        ({"require_placed": 0.95}, Unsupported),
    ):
        with pytest.raises(error):
            edgekit.export("ds-cnn-kws", "android", evidence=False, **options)


def test_a_layer_that_comes_back_to_the_cpu_is_named(tmp_path: Path) -> None:
    extra = [
        helper.make_node("Constant", [], ["shape"], name="shape", value=numpy_helper.from_array(np.array([4, 4]), "s")),
        helper.make_node("Expand", ["z", "shape"], ["wide"], name="expand"),
        helper.make_node("Det", ["wide"], ["d"], name="determinant"),
        helper.make_node("Add", ["z", "d"], ["y"], name="sum"),
    ]
    placement = place(lower(tmp_path, extra=extra))
    assert "determinant" in placement.left
    described = json.loads((tmp_path / "network.qnn.json").read_text()) if placement.files else {"graphs": []}
    assert not any(graph["whole"] for graph in described["graphs"])


def test_an_axis_that_changes_with_every_call_is_not_compiled(tmp_path: Path) -> None:
    about = Lowering(part("rows", Axis(1, 64, 3)), BOARD, calls(*range(1, 20)))
    placement = place(lower(tmp_path, about, rows="rows"))
    assert placement.verdict == "leave it off" and "rows had 19 sizes" in placement.why


def test_the_usual_sizes_are_compiled_and_named_and_the_others_run_here(tmp_path: Path) -> None:
    about = Lowering(part("rows", Axis(1, 64, 3)), BOARD, calls(2, 2, 5, 5, 5))
    placement = place(lower(tmp_path, about, rows="rows"))
    assert placement.sizes == "rows of 2 or 5"
    assert len([name for name in placement.files if name.endswith(".bin")]) == 1, "the sizes share their weights"
    opened, here = (find("runtimes", name).load(tmp_path / "network.onnx", 1) for name in ("qnn", "onnxruntime"))
    for rows, same in ((2, False), (5, False), (3, True)):
        (feeds, _), *_ = calls(rows)
        assert np.array_equal(opened(feeds)["y"], here(feeds)["y"]) is same


def test_inputs_are_made_longer_to_a_size_where_the_model_says_with_what(tmp_path: Path) -> None:
    about = Lowering(part("rows", Axis(1, 128, 3, padded={"x": 0})), BOARD, calls(3, 40))
    assert place(lower(tmp_path, about, rows="rows")).sizes == "rows of 64 or 128"
    (feeds, _), *_ = calls(7)
    opened, here = (find("runtimes", name).load(tmp_path / "network.onnx", 1) for name in ("qnn", "onnxruntime"))
    answer = opened(feeds)["y"]
    assert answer.shape == (7, 4) and not np.array_equal(answer, here(feeds)["y"])
    np.testing.assert_allclose(answer, here(feeds)["y"], atol=0.02)


def test_numbers_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    made = lower(tmp_path, weights=np.full((8, 4), 1e6, np.float32))
    here = find("runtimes", "onnxruntime").load(tmp_path / "network.onnx", 1)
    told = [(feeds, here(feeds)) for feeds, _ in calls(1, 1)]
    with pytest.raises(ParityFailed, match="MatMul product"):
        placing.judge_part(RUNTIME, made, tmp_path, Recipe("qnn", "fp16"), told)


def test_a_network_as_it_is_exported_for_processors_is_refused_by_the_name_of_its_cast(tmp_path: Path) -> None:
    """Qualcomm's compiler takes the cast of bytes, and computes 1 for every value but 0."""
    weights = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["z"], name="bytes", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["z", "w"], ["y"], name="product"),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 8))]
    ends += [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, tmp_path / "network.onnx")
    feeds = {"x": np.arange(100, 108, dtype=np.uint8).reshape(1, 8)}
    about = Lowering(
        Part("network", (TensorSpec("x", "uint8", (1, 8)),), part().outputs, {}, None), BOARD, [(feeds, {})]
    )
    made = RUNTIME.lower(Artifact("network", "network.onnx", {}), tmp_path, about)
    assert place(made).multiplications == 1.0, "it is placed whole"
    told = [(feeds, find("runtimes", "onnxruntime").load(tmp_path / "network.onnx", 1)(feeds))]
    with pytest.raises(ParityFailed, match="Cast bytes"):
        placing.judge_part(RUNTIME, made, tmp_path, Recipe("qnn", "fp16"), told)


def test_a_context_of_other_libraries_is_not_opened(tmp_path: Path) -> None:
    lower(tmp_path)
    file = tmp_path / "network.qnn.json"
    file.write_text(file.read_text().replace(json.loads(file.read_text())["onnxruntime-qnn"], "1.0.0"))
    with pytest.raises(CannotRun, match=r"compiled by onnxruntime-qnn 1\.0\.0"):
        RUNTIME.load(tmp_path / "network.onnx", 1)


def test_a_context_that_is_gone_damaged_or_elsewhere_is_refused(tmp_path: Path) -> None:
    placement = place(lower(tmp_path))
    (binary,) = (tmp_path / name for name in placement.files if name.endswith(".bin"))
    content = binary.read_bytes()
    (feeds, _), *_ = calls(1)
    binary.write_bytes(content[: len(content) // 2])
    with pytest.raises(CannotRun):
        RUNTIME.load(tmp_path / "network.onnx", 1)(feeds)
    binary.write_bytes(content)
    description = tmp_path / "network.qnn.json"
    told = description.read_text()
    (graph,) = json.loads(told)["graphs"]
    for name in ("../network.sm8650.0.onnx", "/etc/passwd", "absent.onnx"):
        description.write_text(told.replace(graph["file"], name))
        with pytest.raises(BadInput, match="not in the bundle"):
            RUNTIME.load(tmp_path / "network.onnx", 1)
    description.write_text("{")
    with pytest.raises(BadInput, match="can be read"):
        RUNTIME.load(tmp_path / "network.onnx", 1)


def test_a_simulator_that_dies_is_one_error_and_starts_again(tmp_path: Path) -> None:
    lower(tmp_path)
    (feeds, _), *_ = calls(1)
    opened = RUNTIME.load(tmp_path / "network.onnx", 1)
    opened(feeds)
    with pytest.raises(CannotRun):
        runner.simulator().ask({"do": "nothing that it knows", "unit": "57"})
    runner.simulator().close()
    assert opened(feeds)["y"].shape == (1, 4)


def test_without_the_libraries_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnxruntime_qnn'] = None\n"
        "from edgekit.cli.command import main\n"
        "sys.exit(main(['export', 'ds-cnn-kws', '--board', 'sm8650', '--no-evidence', '--out', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 3 and "[qnn]" in done.stderr and not (tmp_path / "out").exists()
