"""Every exporter at every precision on a toy part, and what the ONNX one promises about its files."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgekit.core import Artifact, Axis, Checkpoint, Exporter, Feeds, Model, Part, Recipe, TensorSpec
from edgekit.errors import BadInput, EdgekitError, ExportFailed, Unsupported
from edgekit.exporters import _onnx_int8
from edgekit.exporters import onnx as onnx_exporter
from edgekit.exporters._onnx_graph import constants
from edgekit.exporters._onnx_int8 import BLOCK, blockwise_values
from edgekit.exporters._onnx_runner import OnnxRunner
from edgekit.exporters.onnx import EXPORTER
from edgekit.parity import LIMITS, TorchRunner, part_error, relative_error
from edgekit.registry import find, names

CHECKPOINT = Checkpoint(Path("toy"), "toy", {}, {}, {})
REPO = Path(__file__).parent.parent.parent
VOCABULARY, WIDTH = 300, 128


class Toy(nn.Module):
    """A convolution, two linears, an embedding that is also the output projection. Dropout must be off in a file."""

    def __init__(self, width: int = WIDTH, hidden: int = 256) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.table = nn.Parameter(torch.randn(VOCABULARY, width) * 0.3)
        self.conv = nn.Conv1d(4, width, 3, padding=1)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(0.5)

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(sound).transpose(1, 2)
        x = x + self.drop(self.down(F.gelu(self.up(x))))
        scores = F.linear(F.embedding(tokens, self.table) + x.mean(1, keepdim=True), self.table)
        return x, scores


def part(build: Any = Toy, width: int = WIDTH, **changes: Any) -> Part:
    fields: dict[str, Any] = {
        "name": "toy",
        "inputs": (TensorSpec("sound", "float32", (1, 4, "time")), TensorSpec("tokens", "int64", ("rows", "new"))),
        "outputs": (
            TensorSpec("features", "float32", (1, "time", width)),
            TensorSpec("scores", "float32", ("rows", "new", VOCABULARY)),
        ),
        "axes": {"time": Axis(1, 5000, 40), "rows": Axis(1, 8, 3), "new": Axis(1, 50, 5)},
        "build": (lambda checkpoint: Toy(width)) if build is Toy else build,
    }
    return Part(**{**fields, **changes})


def model(*parts: Part) -> Model:
    return Model(
        name="toy",
        family="toy",
        task="toy",
        licence="MIT",
        sources=(),
        parts=parts,
        parameters=1,
        pipeline=lambda runners, folder, facts: None,  # type: ignore[arg-type, return-value]
        assets=(),
        prepare=lambda checkpoint, folder: {},
        licence_text="",
        golden="",
        samples=lambda folder: [],
        size=lambda recipe: 1,
        memory=lambda recipe: 1,
    )


def feeds(time: int = 60, rows: int = 1, new: int = 1, seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {
        "sound": rng.standard_normal((1, 4, time)).astype(np.float32),
        "tokens": rng.integers(0, VOCABULARY, (rows, new)),
    }


CALIBRATION: list[Feeds] = [feeds(seed=i) for i in range(3)]


#: The toy's traced graph, which most tests share: tracing takes a second, and a file in `work` is not made again.
_TRACED: list[bytes] = []


def export(
    out: Path,
    precision: str = "fp32",
    *,
    given: Part | None = None,
    options: Mapping[str, Any] | None = None,
    calibration: Sequence[Feeds] = CALIBRATION,
    exporter: Exporter = EXPORTER,
    fresh: bool = False,
) -> Artifact:
    work = out / "work"
    work.mkdir(parents=True)
    recipe = Recipe(exporter.name, precision, options or {})
    shared = given is None and not fresh
    if shared and _TRACED:
        (work / "toy.fp32.onnx").write_bytes(_TRACED[0])
    given = given or part()
    made = exporter.export(
        model(given), CHECKPOINT, recipe, {given.name: calibration}, out, work, lambda what, done, total: None
    )
    assert [artifact.part for artifact in made] == [given.name]
    if shared and not _TRACED and (work / "toy.fp32.onnx").exists():
        _TRACED.append((work / "toy.fp32.onnx").read_bytes())
    return made[0]


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
    runner = exporter.load(tmp_path / artifact.file, 1)
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
    "options", [{"forms": {"toy": "blokwise"}}, {"forms": {"toi": "dynamic"}}, {"float_parts": ["toi"]}]
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
    assert census["int8"]["float_layers"] == ["conv/Conv"]
    assert set(census["int8"]["layers"]) == {"up/MatMul", "down/MatMul", "MatMul"}
    for layer in census["int8"]["layers"].values():
        assert layer["form"] in ("blockwise", "dynamic")
        assert layer["why"]
    for name, facts in census.items():
        on_disk = onnx.load(tmp_path / name / "toy.onnx")
        assert facts["operators"] == {
            kind: sum(node.op_type == kind for node in on_disk.graph.node)
            for kind in {node.op_type for node in on_disk.graph.node}
        }


class Attention(nn.Module):
    """Products of two activations, one of them transposed: no weights in them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.out = nn.Linear(128, 384), nn.Linear(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).split(128, dim=-1)
        out: Tensor = self.out(torch.softmax(q @ k.transpose(-1, -2), -1) @ v)
        return out


ATTENTION = Part(
    "attention",
    (TensorSpec("x", "float32", (1, "time", 128)),),
    (TensorSpec("y", "float32", (1, "time", 128)),),
    {"time": Axis(1, 500, 40)},
    lambda checkpoint: Attention(),
)


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

        def forward(self, sound: Tensor) -> Tensor:
            out: Tensor = self.linear(self.conv(sound).transpose(1, 2))
            return out

    given = part(
        lambda checkpoint: Convolutions(),
        inputs=part().inputs[:1],
        outputs=(TensorSpec("y", "float32", (1, "time", 8)),),
    )
    with pytest.raises(ExportFailed, match="'toy' was to be int8, but only"):
        sound = [{"sound": feeds()["sound"]}]
        export(tmp_path / "a", "int8", given=given, options={"forms": {"toy": "blockwise"}}, calibration=sound)
    assert export(tmp_path / "b", "int8", given=given, options={"float_parts": ["toy"]}).census["compute"] == "fp32"


def test_a_part_that_stays_float(tmp_path: Path) -> None:
    census = export(tmp_path, "int8", given=part(quantize=False)).census
    assert census["weighted_int8"] == 0
    assert set(census["bytes"]) <= {"float", "int64"}


# --- int8 ------------------------------------------------------------------------------------------------------------


def initializers(file: Path) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 9),
    st.floats(1e-20, 1e20),
    st.integers(0, 1000),
)
def test_blockwise_values_are_within_half_a_step(inputs: int, outputs: int, scale: float, seed: int) -> None:
    weight = (np.random.default_rng(seed).standard_normal((inputs, outputs)) * scale).astype(np.float32)
    weight[:, 0] = 0
    values, scales = blockwise_values(weight)
    blocks = -(-inputs // BLOCK)
    assert (values.shape, values.dtype) == ((outputs, blocks, BLOCK), np.uint8)
    assert (scales.shape, scales.dtype) == ((outputs, blocks), np.float32)
    back = ((values.astype(np.float64) - 128) * scales[..., None]).reshape(outputs, -1)
    assert not back[:, inputs:].any()
    error = np.abs(back[:, :inputs] - weight.T)
    step = np.repeat(scales, BLOCK, axis=1)[:, :inputs].astype(np.float64)
    assert (error <= 0.5001 * step).all()
    # And no coarser than it must be: the largest weight of a block has the largest value.
    largest = np.abs(values.astype(int) - 128).max(-1)
    assert (largest[1:] == 127).all()
    assert not back[0].any()


@pytest.mark.parametrize("form", ["blockwise", "dynamic"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (128, 64), (130, 33), (200, 256)])
def test_the_forms_against_numpy(form: str, size: tuple[int, int]) -> None:
    """One product, its rounding redone with numpy; K need not be a multiple of the block."""
    from edgekit.exporters._onnx_int8 import quantize

    inputs, outputs = size
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(size).astype(np.float32)
    x = rng.standard_normal((1, 20, inputs)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "toy",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, "n", inputs])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, "n", outputs])],
        [numpy_helper.from_array(weight, "w")],
    )
    plain = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    model = quantize(plain, {"product": form})
    assert "w" not in {tensor.name for tensor in model.graph.initializer}
    actual = OnnxRunner(model.SerializeToString(), 1)({"x": x})["y"]
    if form == "dynamic":
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        step = np.float32((high - low) / 255)
        zero = np.rint(np.clip(-low / step, 0, 255))
        rounded = np.clip(np.rint(x / step) + zero, 0, 255) - zero
        scales = np.abs(weight).max(0) / 127
        expected = (rounded.astype(np.int64) @ np.rint(weight / scales).astype(np.int64)) * (step * scales)
        # onnxruntime may round one activation the other way where it lies between two steps.
        np.testing.assert_allclose(actual, expected, atol=1.5 * step * np.abs(weight).max(), rtol=1e-5)
    else:
        values, scales = blockwise_values(weight)
        back = ((values.astype(np.float32) - 128) * scales[..., None]).reshape(outputs, -1)[:, :inputs]
        exact = x @ back.T
        # Activations are rounded to 8 bits a row and block: an error of a half step each, which add up like noise.
        bound = 4 * np.sqrt(inputs) * np.abs(x).max() / 127 / 2 * np.abs(back).max()
        np.testing.assert_allclose(actual, exact, atol=max(bound, 1e-6))
    error = relative_error([{"y": actual}], [{"y": x @ weight}])
    assert error < 0.03


def test_a_tied_table_is_stored_once(tmp_path: Path) -> None:
    export(tmp_path, "int8")
    arrays = initializers(tmp_path / "toy.onnx")
    assert [name for name, array in arrays.items() if array.size >= VOCABULARY * WIDTH] == ["MatMul.int8"]
    runner = EXPORTER.load(tmp_path / "toy.onnx", 1)
    # What the look-up gives is what the projection multiplies with: both sides of one rounding.
    scores = runner(feeds(new=4))["scores"]
    assert scores.shape == (1, 4, VOCABULARY)


def test_a_tied_table_with_a_forced_form(tmp_path: Path) -> None:
    for form in ("blockwise", "dynamic"):
        artifact = export(tmp_path / form, "int8", options={"forms": {"toy": form}})
        forms = {name: layer["form"] for name, layer in artifact.census["layers"].items()}
        assert forms == {"up/MatMul": form, "down/MatMul": form, "MatMul": "blockwise"}
        calls = [(feeds(time=60, new=3), TorchRunner(part(), Toy())(feeds(time=60, new=3)))]
        assert part_error(EXPORTER.load(tmp_path / form / "toy.onnx", 1), calls) < LIMITS["int8"]


def test_a_tied_table_whose_width_is_no_whole_number_of_blocks(tmp_path: Path) -> None:
    """The table stays float (in half) for the look-up, and the census says so."""
    given = part(lambda checkpoint: Toy(100, 1024), width=100)
    census = export(tmp_path, "int8", given=given, options={"forms": {"toy": "blockwise"}}).census
    assert census["bytes"]["float16"] >= 2 * VOCABULARY * 100
    calls = [(feeds(time=60, new=3), TorchRunner(given, Toy(100, 1024))(feeds(time=60, new=3)))]
    assert part_error(EXPORTER.load(tmp_path / "toy.onnx", 1), calls) < LIMITS["int8"]


class Outlier(nn.Module):
    """One robust layer, and one that meets an activation a thousand times larger than the others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.robust, self.sensitive = nn.Linear(128, 128), nn.Linear(128, 128)
        self.register_buffer("gain", torch.ones(128))
        self.gain[5] = 3000.0
        with torch.no_grad():
            self.sensitive.weight[:, 5] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.sensitive(torch.tanh(self.robust(x)) * self.gain)
        return out


@pytest.mark.parametrize(
    ("dynamic", "blockwise", "form"),
    [(0.004, 0.9, "dynamic"), (0.006, 0.024, "blockwise"), (0.2, 0.026, "float"), (math.inf, math.inf, "float")],
)
def test_a_form_is_the_cheapest_that_moves_little(dynamic: float, blockwise: float, form: str) -> None:
    moved = {"dynamic": dynamic, "blockwise": blockwise}
    assert _onnx_int8._form(lambda name: moved[name])[0] == form


def test_a_product_that_stays_float_is_stored_in_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_onnx_int8, "_form", lambda moved: ("float", "because"))
    graph = EXPORTER._reference(part(), CHECKPOINT, tmp_path, lambda *_: None)
    names = [p.node for p in _onnx_int8.products(graph) if not p.table]
    choice = _onnx_int8.choose(graph, [feeds(time=60, new=30)], onnx_exporter._evaluate, lambda *_: None)
    assert [choice[name][0] for name in names] == ["float"] * len(names)
    held = constants(_onnx_int8.quantize(graph, {name: form for name, (form, _) in choice.items()}))
    assert [name for name, array in held.items() if array.dtype == np.uint8] == ["MatMul.int8"]


def test_the_measured_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One layer alone is all of a toy's error; in a network of twenty it is a twentieth.
    monkeypatch.setattr(_onnx_int8, "DYNAMIC", 0.02)
    monkeypatch.setattr(_onnx_int8, "BLOCKWISE", 1.0)
    given = Part("outlier", ATTENTION.inputs, ATTENTION.outputs, ATTENTION.axes, lambda checkpoint: Outlier())
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    layers = export(tmp_path, "int8", given=given, calibration=[{"x": x}]).census["layers"]
    assert layers["robust/MatMul"]["form"] == "dynamic", layers
    assert re.fullmatch(r"dynamic alone moves the outputs by [01]\.\d%", layers["robust/MatMul"]["why"])
    assert layers["sensitive/MatMul"]["form"] == "blockwise"
    assert re.fullmatch(r"dynamic .* by \d+\.\d%, blockwise by \d+\.\d%", layers["sensitive/MatMul"]["why"])
    few = export(tmp_path / "few", "int8", given=given, calibration=[{"x": x[:, :16]}]).census["layers"]
    assert {layer["form"] for layer in few.values()} == {"blockwise"}
    assert "16 row(s) a call" in few["robust/MatMul"]["why"]


def test_two_products_of_one_input_quantize_it_once(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.left, self.right = nn.Linear(128, 128), nn.Linear(128, 64)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.left(x), self.right(x)

    outputs = (*ATTENTION.outputs, TensorSpec("z", "float32", (1, "time", 64)))
    given = Part("two", ATTENTION.inputs, outputs, ATTENTION.axes, lambda checkpoint: Two())
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    dynamic = {"forms": {"two": "dynamic"}}
    census = export(tmp_path, "int8", given=given, calibration=[{"x": x}], options=dynamic).census
    assert census["operators"]["DynamicQuantizeLinear"] == 1
    assert census["operators"]["MatMulIntegerToFloat"] == 2


@pytest.mark.parametrize("calibration", [[], None])
def test_int8_needs_inputs_to_measure(tmp_path: Path, calibration: Any) -> None:
    work = tmp_path / "work"
    work.mkdir()
    given = {} if calibration is None else {"toy": calibration}

    def run(precision: str, options: dict[str, Any]) -> list[Artifact]:
        recipe = Recipe("onnx", precision, options)
        return EXPORTER.export(model(part()), CHECKPOINT, recipe, given, tmp_path, work, lambda *_: None)

    with pytest.raises(ExportFailed, match="no recorded input"):
        run("int8", {})
    assert run("int8", {"forms": {"toy": "blockwise"}})
    assert run("fp16", {})


# --- fp16 ------------------------------------------------------------------------------------------------------------


def test_what_half_precision_cannot_hold_stays_single(tmp_path: Path) -> None:
    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.small, self.large = nn.Linear(128, 128), nn.Linear(128, 32)
            with torch.no_grad():
                self.large.weight[0, 0] = 1e5

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.large(self.small(x))
            return out

    outputs = (TensorSpec("y", "float32", (1, "time", 32)),)
    given = Part("large", ATTENTION.inputs, outputs, ATTENTION.axes, lambda checkpoint: Large())
    census = export(tmp_path, "fp16", given=given, calibration=[]).census
    assert census["bytes"]["float16"] == 2 * 128 * 128
    x = np.random.default_rng(0).standard_normal((1, 50, 128)).astype(np.float32)
    runner = EXPORTER.load(tmp_path / "large.onnx", 1)
    assert part_error(runner, [({"x": x}, TorchRunner(given, Large())({"x": x}))]) < 1e-3


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
    assert {"conv/Conv", "up/MatMul", "down/MatMul"} <= set(named)


def test_axes_have_the_declared_names(tmp_path: Path) -> None:
    export(tmp_path)
    runner = EXPORTER.load(tmp_path / "toy.onnx", 1)
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
    runner, reference = EXPORTER.load(tmp_path / "toy.onnx", 1), TorchRunner(given, Half())
    for time in (4, 6, 100, 3000):
        x = {"sound": feeds(time)["sound"]}
        assert part_error(runner, [(x, reference(x))]) < 1e-5


# --- failures --------------------------------------------------------------------------------------------------------


class Untraceable(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if sound.sum() > 0:
            return sound, tokens
        return tokens, sound


class Broken(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        raise ValueError("first line\nsecond line")


class OneOutput(nn.Module):
    def forward(self, sound: Tensor, tokens: Tensor) -> Tensor:
        return sound * 2 + tokens.sum()


class Fixed(nn.Module):
    """Takes only the example's length."""

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return sound.reshape(1, 40, 4) * 2, tokens * 1.0


class Integers(nn.Module):
    """Gives another dtype than declared."""

    def forward(self, sound: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return sound.transpose(1, 2).to(torch.float64), tokens[..., None].repeat(1, 1, VOCABULARY) * 1.0


@pytest.mark.parametrize("module", [Untraceable, Broken, OneOutput, Fixed, Integers])
def test_a_module_that_cannot_be_exported(tmp_path: Path, module: type[nn.Module]) -> None:
    outputs = (TensorSpec("features", "float32", (1, "time", 4)), part().outputs[1])
    with pytest.raises(ExportFailed, match="toy") as caught:
        export(tmp_path, given=part(lambda checkpoint: module(), outputs=outputs))
    assert "\n" not in caught.value.message
    assert not (tmp_path / "toy.onnx").exists()


def test_a_part_without_a_module(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="not a torch graph"):
        export(tmp_path, given=part(None))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    export(folder)
    return folder / "toy.onnx"


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "absent", "folder", "other"])
def test_a_file_that_is_no_model(tmp_path: Path, good: Path, damage: str) -> None:
    file = tmp_path / "toy.onnx"
    if damage == "folder":
        file.mkdir()
    elif damage != "absent":
        whole = good.read_bytes()
        contents = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}
        file.write_bytes(contents.get(damage, b"RIFF" + whole[4:]))
    with pytest.raises(BadInput, match=r"refuses toy\.onnx") as caught:
        EXPORTER.load(file, 1)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"sound": None},
        {"tokens": None},
        {"other": np.zeros(1, np.float32)},
        {"sound": np.zeros((1, 4, 60), np.float64)},
        {"sound": np.zeros((1, 4, 60), np.int32)},
        {"tokens": np.zeros((1, 1), np.float32)},
        {"sound": np.zeros((1, 60), np.float32)},
        {"sound": np.zeros((2, 4, 60), np.float32)},
        {"sound": np.zeros((1, 5, 60), np.float32)},
        {"tokens": np.full((1, 1), VOCABULARY)},
        {"sound": "text"},
        {"sound": [[[0.0]]]},
    ],
)
def test_wrong_feeds(good: Path, change: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**feeds(), **change}.items() if value is not None}
    runner = EXPORTER.load(good, 1)
    with pytest.raises(BadInput) as caught:
        runner(wrong)
    assert "\n" not in caught.value.message
    assert runner(feeds())["scores"].shape == (1, 1, VOCABULARY)


def test_every_error_is_ours(good: Path) -> None:
    assert issubclass(BadInput, EdgekitError)
    with pytest.raises(BadInput):
        OnnxRunner(b"", 1)


# --- parity ----------------------------------------------------------------------------------------------------------

FINE = np.ones((3, 4), np.float32)


def spoiled(value: float) -> NDArray[np.float32]:
    out = FINE.copy()
    out[1, 2] = value
    return out


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_never_passes(value: float) -> None:
    class Gives:
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
