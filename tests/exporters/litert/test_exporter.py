"""The LiteRT exporter: every precision, the file, the census."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from helpers.cases.litert_cases import (
    _CONVERTED,
    ATTENTION,
    CLASSES,
    IMAGE,
    LAYERS,
    PIXELS,
    REPO,
    SCORES,
    Image,
    calls,
    export,
    graph,
    pictures,
    sentences,
)
from torch import nn

from edgekit.core import Exporter, Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed, MissingExtra, Unsupported, install_command
from edgekit.exporters.litert import EXPORTER, int8
from edgekit.exporters.litert import census as litert_census
from edgekit.formats.tflite import reader
from edgekit.numerics.parity import LIMITS, part_error
from edgekit.runtimes.litert import RUNTIME

# --- what every exporter owes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [IMAGE, ATTENTION], ids=lambda part: part.name)
@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_every_precision(tmp_path: Path, precision: str, part: Part) -> None:
    assert isinstance(EXPORTER, Exporter)
    artifact = export(tmp_path, precision, part=part)
    assert artifact.file == f"{part.name}.tflite"
    runner = RUNTIME.load(tmp_path / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    proven = calls(part, (pictures if part is IMAGE else sentences)(6))
    for call in proven:
        assert part_error(runner, [call]) <= LIMITS[precision]
        answer = runner(call[0])
        assert {name: value.dtype for name, value in answer.items()} == {s.name: s.dtype for s in part.outputs}
    assert part_error(runner, proven) > 0 or precision == "fp32"
    assert not runner.stateful


@pytest.mark.parametrize(
    ("precision", "options", "said"),
    [
        ("int3", {}, "int3"),
        ("int8", {"colour": 1}, "colour"),
        ("int8", {"form": "statik"}, "statik"),
        ("int8", {"io": "int16"}, "int16"),
        ("int8", {"weights": "per-row"}, "per-row"),
        ("int8", {"ranges": "entropy"}, "entropy"),
        ("int8", {"form": "dynamic", "io": "int8"}, "static form"),
        ("int8", {"float_parts": ["imag"]}, "imag"),
        ("int8", {"float_layers": ["stm"]}, "stm"),
        ("fp32", {"sizes": {"time": 4}}, "time"),
    ],
)
def test_what_it_does_not_know(tmp_path: Path, precision: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        export(tmp_path, precision, options)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, edgekit.exporters.litert; "
        "assert not {'torch', 'numpy', 'litert_torch', 'ai_edge_litert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("absent", ["litert_torch", "ai_edge_quantizer"])
def test_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    monkeypatch.setitem(sys.modules, absent, None)  # type: ignore[arg-type]
    part = IMAGE if absent == "ai_edge_quantizer" else Part("fresh", PIXELS, SCORES, {}, lambda checkpoint: Image())
    with pytest.raises(MissingExtra, match=absent) as caught:
        export(tmp_path, "int8", part=part, calibration=pictures())
    assert install_command("litert") in caught.value.hint


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_is_quiet(tmp_path: Path, precision: str, capfd: pytest.CaptureFixture[str]) -> None:
    part = Part("fresh", PIXELS, SCORES, {}, lambda checkpoint: Image())
    export(tmp_path, precision, part=part, calibration=pictures())
    RUNTIME.load(tmp_path / "fresh.tflite", 1)(pictures(1)[0])
    assert capfd.readouterr() == ("", "")


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_nothing_of_this_machine_is_in_a_file(tmp_path: Path, precision: str) -> None:
    export(tmp_path, precision)
    data = (tmp_path / "image.tflite").read_bytes()
    for trace in (str(REPO), "site-packages", f"{Path.home()}/", str(tmp_path), sys.prefix, ".py", "test_litert"):
        assert trace.encode() not in data, trace


@pytest.mark.parametrize("precision", EXPORTER.precisions)
def test_two_exports_are_the_same_bytes(tmp_path: Path, precision: str) -> None:
    files = []
    for name in ("a", "b"):
        _CONVERTED.pop("image", None)
        export(tmp_path / name, precision)
        files.append((tmp_path / name / "image.tflite").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(("precision", "options"), [("fp32", {}), ("int8", {}), ("int8", {"io": "int8"})])
def test_tensors_have_names_that_people_can_read(tmp_path: Path, precision: str, options: dict[str, Any]) -> None:
    export(tmp_path, precision, options)
    main = graph(tmp_path).subgraphs[0]
    assert [main.tensors[i].name for i in main.inputs] == ["pixels"]
    assert [main.tensors[i].name for i in main.outputs] == ["scores"]
    names = [tensor.name for tensor in main.tensors]
    assert len(names) == len(set(names))
    assert {"stem", "stem/weights", "stem/bias", "depthwise", "classifier/weights"} <= set(names)
    signature = schema.Model.GetRootAs((tmp_path / "image.tflite").read_bytes(), 0).SignatureDefs(0)
    assert (signature.Inputs(0).Name(), signature.Outputs(0).Name()) == (b"pixels", b"scores")


def test_an_image_network_has_no_transposes(tmp_path: Path) -> None:
    for precision in EXPORTER.precisions:
        census = export(tmp_path / precision, precision).census
        assert census["transposes"] == 0
        assert "TRANSPOSE" not in census["operators"]


def test_transposes_are_counted(tmp_path: Path) -> None:
    """Where the part takes NCHW, they cannot be avoided, and the census says so."""
    wanted = (TensorSpec("pixels", "float32", (1, 3, 16, 16)),)
    made = (TensorSpec("y", "float32", (1, 4, 16, 16)),)
    part = Part("nchw", wanted, made, {}, lambda checkpoint: nn.Conv2d(3, 4, 3, padding=1))
    assert export(tmp_path, part=part).census["transposes"] == 2


def test_products_of_float_activations_have_fast_kernels(tmp_path: Path) -> None:
    """XNNPACK takes no FULLY_CONNECTED without constant weights, and no BATCH_MATMUL in int8."""
    options: dict[str, Any] = {}
    for precision, options in (("fp32", {}), ("fp16", {}), ("int8", {"form": "dynamic"})):
        operators = export(tmp_path / precision, precision, options, part=ATTENTION).census["operators"]
        assert (operators["BATCH_MATMUL"], operators["FULLY_CONNECTED"]) == (2, 2)
    options = {"form": "static", "float_layers": ["table"]}
    static = export(tmp_path / "static", "int8", options, part=ATTENTION).census["operators"]
    assert (static["BATCH_MATMUL"], static["FULLY_CONNECTED"]) == (1, 3)


def buffers(content: bytes) -> list[Any]:
    whole = schema.Model.GetRootAs(content, 0)
    return [whole.Buffers(i) for i in range(whole.BuffersLength())]


def test_buffers_are_inside_and_aligned(tmp_path: Path) -> None:
    """The quantizer moves them behind the flatbuffer past 256 KiB; ours must not."""
    part = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(640))
    export(tmp_path, "int8", part=part, calibration=pictures())
    content = (tmp_path / "wide.tflite").read_bytes()
    held = buffers(content)
    assert sum(buffer.DataLength() for buffer in held) > 1 << 18
    assert all(buffer.Offset() == 0 and buffer.Size() == 0 for buffer in held)
    for buffer in held:
        if buffer.DataLength():
            start = buffer.DataAsNumpy().__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data
            assert start % 16 == 0
    assert reader.read(content)
    from ai_edge_quantizer.quantizer import Quantizer

    outside = Quantizer(
        bytearray((tmp_path / "work" / "wide.fp32.tflite").read_bytes()),
        [int8.rule("*", int8.tensor_config())],
    ).quantize(enable_progress_report=False)
    with pytest.raises(BadInput, match="outside of its flatbuffer"):
        reader.read(bytes(outside.quantized_model))


def test_a_file_is_little_more_than_its_weights(tmp_path: Path) -> None:
    part = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(640))
    held = export(tmp_path, "int8", part=part, calibration=pictures()).census["bytes"]
    channels = 3 * 640 + CLASSES
    assert held["int8"] == 640 * 27 + 640 * 9 + 640 * 640 + 640 * CLASSES
    assert held["int32"] >= 4 * channels
    # Scales of weights and of biases; their zero points, 8 bytes each, are one vector for each length.
    assert (tmp_path / "wide.tflite").stat().st_size < sum(held.values()) + 8 * channels + 8 * 650 + 9_000


# --- the census ------------------------------------------------------------------------------------------------------


def test_the_census_tells_what_is_in_the_file(tmp_path: Path) -> None:
    wide = Part("wide", PIXELS, SCORES, {}, lambda checkpoint: Image(64))
    small, large = 64 * 9 + 64 * CLASSES + 3 * 64 + CLASSES, 64 * 27 + 64 * 64
    census = {p: export(tmp_path / p, p, part=wide, calibration=pictures()).census for p in EXPORTER.precisions}
    assert census["fp32"]["bytes"]["float32"] == 4 * (small + large)
    assert (census["fp32"]["weighted_int8"], census["fp32"]["weighted_float"]) == (0, 4)
    assert (census["fp32"]["compute"], census["fp32"]["layers"]) == ("fp32", {})
    assert census["fp16"]["bytes"]["float16"] == 2 * (large + small - 3 * 64 - CLASSES)
    assert census["fp16"]["bytes"]["float32"] == 4 * (3 * 64 + CLASSES)
    assert census["fp16"]["compute"] == "fp32"
    facts = census["int8"]
    assert facts["bytes"]["int8"] == large + small - 3 * 64 - CLASSES
    assert (facts["weighted_int8"], facts["weighted_float"], facts["float_layers"]) == (4, 0, [])
    assert facts["float_operators"] == []
    assert facts["compute"] == "int8"
    assert set(facts["layers"]) == LAYERS
    assert all(layer["form"] == "static" and layer["why"] for layer in facts["layers"].values())
    errors = facts["choice"]["errors"]
    ranges = f"static ({facts['choice']['ranges']})"
    assert set(errors) == {"static (min-max)", "static (percentile)", f"{ranges}, biases corrected"}
    assert errors[ranges] == min(errors["static (min-max)"], errors["static (percentile)"])
    main = graph(tmp_path / "int8", "wide").subgraphs[0]
    kinds = [operator.name for operator in main.operators]
    assert facts["operators"] == {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    held = {"float32": 4000, "int8": 900}
    with pytest.raises(ExportFailed, match="'toy' was to be int8, but most"):
        litert_census.check(held, ["a"], "toy", "int8", "static")
    held["int8"] = 1100
    with pytest.raises(ExportFailed, match=r"left 1 layer\(s\) in float: a"):
        litert_census.check(held, ["a"], "toy", "int8", "static")
    litert_census.check(held, [], "toy", "int8", "static")
    litert_census.check({"int32": 4}, [], "toy", "fp32", "float")


def test_what_the_quantizer_leaves_in_float_is_refused(tmp_path: Path) -> None:
    """It has no int8 for three-dimensional convolutions."""
    shape, made = (TensorSpec("x", "float32", (1, 3, 8, 8, 8)),), (TensorSpec("y", "float32", (1, 4, 8, 8, 8)),)
    part = Part("solid", shape, made, {}, lambda checkpoint: nn.Conv3d(3, 4, 3, padding=1))
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.standard_normal((1, 3, 8, 8, 8)).astype(np.float32)} for _ in range(9)]
    with pytest.raises(ExportFailed, match="'solid' was to be int8"):
        export(tmp_path, "int8", part=part, calibration=feeds)


def test_parts_that_stay_float(tmp_path: Path) -> None:
    stays = Part("stays", PIXELS, SCORES, {}, lambda checkpoint: Image(), quantize=False)
    for name, part, options in (("a", stays, {}), ("b", IMAGE, {"float_parts": ["image"]})):
        census = export(tmp_path / name, "int8", options, part=part, calibration=[]).census
        assert census["compute"] == "fp32"
        assert set(census["bytes"]) <= {"float32", "int32"}
