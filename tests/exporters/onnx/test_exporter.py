"""The ONNX exporter: every precision, the census, the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers.cases.onnx_cases import ATTENTION, REPO, VOCABULARY, WIDTH, Toy, export, feeds, part
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Axis, Exporter, Feeds, Runner, TensorSpec
from edgekit.errors import ExportFailed, Unsupported
from edgekit.exporters.onnx.census import check
from edgekit.numerics.parity import LIMITS, part_error
from edgekit.registry import find, names
from edgekit.runtimes.onnxruntime import RUNTIME
from edgekit.runtimes.resolved import runtime_for
from edgekit.runtimes.torch.runner import TorchRunner

# --- what every exporter owes ----------------------------------------------------------------------------------------

#: Those that take torch modules; one that takes ready files has the same tests on such a file (test_c.py).
TRACING = [name for name in names("exporters") if find("exporters", name).extra == "export"]
EVERY = [(name, precision) for name in TRACING for precision in find("exporters", name).precisions]


@pytest.mark.parametrize(("name", "precision"), EVERY)
def test_every_exporter_at_every_precision(tmp_path: Path, name: str, precision: str) -> None:
    exporter = find("exporters", name)
    assert isinstance(exporter, Exporter)
    assert exporter.name == name
    artifact = export(tmp_path, precision, exporter=exporter)
    assert not Path(artifact.file).is_absolute()
    runner = find("runtimes", runtime_for(name)).load(tmp_path / artifact.file, 1)
    declared = part()
    assert [(s.name, s.dtype) for s in runner.inputs] == [(s.name, s.dtype) for s in declared.inputs]
    assert [(s.name, s.dtype) for s in runner.outputs] == [(s.name, s.dtype) for s in declared.outputs]
    reference = TorchRunner(declared, Toy())
    sizes = [(60, 1, 1), (1, 1, 1), (17, 3, 2), (40, 2, 50), (33, 8, 7)]
    calls = [(feeds(*size), reference(feeds(*size))) for size in sizes]
    for call in calls:
        assert part_error(runner, [call]) <= LIMITS[precision]
    assert part_error(runner, calls) > 0 or precision == "fp32"


@pytest.mark.parametrize("name", TRACING)
def test_what_an_exporter_does_not_know(tmp_path: Path, name: str) -> None:
    exporter = find("exporters", name)
    with pytest.raises(Unsupported, match="int3") as caught:
        export(tmp_path / "a", "int3", exporter=exporter)
    assert all(precision in caught.value.hint for precision in exporter.precisions)
    with pytest.raises(Unsupported, match="colour"):
        export(tmp_path / "b", exporter.precisions[0], exporter=exporter, options={"colour": 1})
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "work"]


@pytest.mark.parametrize(
    "options", [{"form": {"toy": "blokwise"}}, {"form": {"toi": "dynamic"}}, {"float_parts": ["toi"]}]
)
def test_options_with_unknown_values(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=r"blokwise|toi"):
        export(tmp_path, "int8", options=options)


# --- the census ------------------------------------------------------------------------------------------------------


def test_the_census_tells_what_is_in_the_file(tmp_path: Path) -> None:
    table, linear, conv = VOCABULARY * WIDTH, 2 * WIDTH * 256, 3 * 4 * WIDTH
    small = {"biases": 2 * WIDTH + 256}
    census = {p: export(tmp_path / p, p).census for p in ("fp32", "fp16", "int8")}
    assert census["fp32"]["bytes"]["float"] >= 4 * (table + linear + conv + small["biases"])
    assert census["fp32"]["compute"] == "fp32"
    assert (census["fp32"]["weighted_int8"], census["fp32"]["weighted_float"]) == (0, 4)
    assert census["fp32"]["layers"] == {}
    assert census["fp16"]["bytes"]["float16"] == 2 * (table + linear + conv)
    assert census["fp16"]["bytes"]["float"] <= 4 * (small["biases"] + 8)
    assert census["fp16"]["compute"] == "fp32"
    assert census["fp16"]["weighted_float"] == 4
    held = census["int8"]["bytes"]
    assert held.get("int8", 0) + held["uint8"] == pytest.approx(table + linear, abs=1024)
    assert census["int8"]["weighted_int8"] == 3
    assert census["int8"]["float_layers"] == ["conv"]
    assert set(census["int8"]["layers"]) == {"up", "down", "table:1"}
    for layer in census["int8"]["layers"].values():
        assert layer["form"] in ("blockwise", "dynamic")
        assert layer["why"]
    for name, facts in census.items():
        on_disk = onnx.load(tmp_path / name / "toy.onnx")
        assert facts["operators"] == {
            kind: sum(node.op_type == kind for node in on_disk.graph.node)
            for kind in {node.op_type for node in on_disk.graph.node}
        }


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_products_of_activations_are_no_layers(tmp_path: Path, precision: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 30, 128)).astype(np.float32)
    census = export(tmp_path, precision, given=ATTENTION, calibration=[{"x": x}]).census
    assert census["weighted_float"] + census["weighted_int8"] == 2
    assert len(census["float_layers"]) == (0 if precision == "int8" else 2)


def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    """A part whose weights a form cannot quantize must not pass as int8."""

    class Convolutions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(4, 64, 9, padding=4)
            self.linear = nn.Linear(64, 8)
            self.factors = nn.Parameter(torch.rand(8, 4096))

        def forward(self, sound: Tensor) -> Tensor:
            out: Tensor = (self.linear(self.conv(sound).transpose(1, 2))[..., None] * self.factors).mean(dim=3)
            return out

    given = part(
        lambda checkpoint: Convolutions(),
        inputs=part().inputs[:1],
        outputs=(TensorSpec("y", "float32", (1, "time", 8)),),
    )
    with pytest.raises(ExportFailed, match="'toy' was to be int8, but only") as refused:
        sound = [{"sound": feeds()["sound"]}]
        export(tmp_path / "a", "int8", given=given, options={"form": {"toy": "blockwise"}}, calibration=sound)
    assert "of the products conv." in refused.value.hint
    assert export(tmp_path / "b", "int8", given=given, options={"float_parts": ["toy"]}).census["compute"] == "fp32"


def test_a_part_that_stays_float(tmp_path: Path) -> None:
    census = export(tmp_path, "int8", given=part(quantize=False)).census
    assert census["weighted_int8"] == 0
    assert set(census["bytes"]) <= {"float", "int64"}


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_nothing_of_this_machine_is_in_a_file(tmp_path: Path, precision: str) -> None:
    export(tmp_path, precision)
    data = (tmp_path / "toy.onnx").read_bytes()
    for trace in (str(REPO), "site-packages", str(Path.home()) + "/", str(tmp_path), sys.prefix, ".py", "namespace"):
        assert trace.encode() not in data, trace
    made = onnx.load(tmp_path / "toy.onnx")
    assert (made.producer_name, made.producer_version, made.graph.name) == ("edgekit", "", "toy")
    assert made.ir_version == 10
    assert {entry.domain: entry.version for entry in made.opset_import}[""] == 20
    onnx.checker.check_model(made)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_two_exports_are_the_same_bytes(tmp_path: Path, precision: str) -> None:
    files = []
    for name in ("a", "b"):
        export(tmp_path / name, precision, fresh=precision == "int8")
        files.append((tmp_path / name / "toy.onnx").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_nodes_are_named_after_modules(tmp_path: Path, precision: str) -> None:
    export(tmp_path, precision)
    named = [node.name for node in onnx.load(tmp_path / "toy.onnx").graph.node]
    assert len(named) == len(set(named))
    assert all(named)
    assert {"conv", "up", "down"} <= set(named)


def test_axes_have_the_declared_names(tmp_path: Path) -> None:
    export(tmp_path)
    runner = RUNTIME.load(tmp_path / "toy.onnx", 1)
    assert runner.inputs == part().inputs
    assert runner.outputs == part().outputs


def test_an_axis_in_steps(tmp_path: Path) -> None:
    """A stride of two over an even axis, as in Whisper's encoder."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv1d(4, 16, 3, stride=2, padding=1)

        def forward(self, sound: Tensor) -> Tensor:
            out: Tensor = self.conv(sound)
            return out

    given = part(
        lambda checkpoint: Half(),
        inputs=(TensorSpec("sound", "float32", (1, 4, "time")),),
        outputs=(TensorSpec("y", "float32", (1, 16, "half")),),
        axes={"time": Axis(4, 3000, 40, multiple=2)},
    )
    export(tmp_path, given=given)
    runner, reference = RUNTIME.load(tmp_path / "toy.onnx", 1), TorchRunner(given, Half())
    for time in (4, 6, 100, 3000):
        x = {"sound": feeds(time)["sound"]}
        assert part_error(runner, [(x, reference(x))]) < 1e-5


# --- parity ----------------------------------------------------------------------------------------------------------

FINE = np.ones((3, 4), np.float32)


def spoiled(value: float) -> NDArray[np.float32]:
    out = FINE.copy()
    out[1, 2] = value
    return out


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_never_passes(value: float) -> None:
    class Gives(Runner):
        inputs = outputs = ()

        def __init__(self, array: NDArray[np.float32]) -> None:
            self.array = array

        def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            return {"y": self.array}

    limit = max(LIMITS.values())
    assert part_error(Gives(FINE), [({}, {"y": FINE})]) == 0
    assert not part_error(Gives(spoiled(value)), [({}, {"y": FINE})]) <= limit
    assert not part_error(Gives(spoiled(value)), [({}, {"y": spoiled(value)})]) <= limit
    assert not part_error(Gives(FINE), [({}, {"y": spoiled(value)})]) <= limit
    assert not part_error(Gives(FINE[:2]), [({}, {"y": FINE})]) <= limit


def test_whole_numbers_are_no_weights_of_another_precision() -> None:
    check({"int64": 200, "float": 28}, [], "geometry", "int8", quantized=False)
    check({"int64": 200}, [], "geometry", "fp32", quantized=True)
    with pytest.raises(ExportFailed, match="only 12% of its weights"):
        check({"float": 28, "float16": 100}, [], "network", "fp32", quantized=True)
