"""Half precision, dynamic axes, and ready .tflite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cases.litert_cases import IMAGE, PIXELS, SCORES, calls, export, pictures
from helpers.cases.tflite_int16 import stream
from helpers.cases.tflite_models import Builder, Case, product
from torch import Tensor, nn

from edgekit.core import Axis, Checkpoint, Part, TensorSpec
from edgekit.errors import BadInput, ExportFailed, Unsupported
from edgekit.exporters.litert import candidates
from edgekit.exporters.litert import file as litert_file
from edgekit.formats.tflite import reader
from edgekit.numerics.parity import LIMITS, part_error
from edgekit.runtimes.litert import RUNTIME
from edgekit.runtimes.tflite_micro.runner import MicroRunner

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

    ends = (TensorSpec("x", "float32", (1, 128)),), (TensorSpec("y", "float32", (1, 32)),)
    part = Part("large", *ends, {}, lambda checkpoint: Large())
    census = export(tmp_path, "fp16", part=part).census
    assert census["bytes"]["float16"] == 2 * 128 * 128
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 128)).astype(np.float32)}
    assert part_error(RUNTIME.load(tmp_path / "large.tflite", 1), calls(part, [feeds])) < LIMITS["fp16"]


# --- dynamic axes ----------------------------------------------------------------------------------------------------


def linear(axis: int | str) -> Part:
    ends = (TensorSpec("x", "float32", (1, axis, 16)),), (TensorSpec("y", "float32", (1, axis, 4)),)
    axes = {axis: Axis(2, 100, 10, multiple=2)} if isinstance(axis, str) else {}

    def build(checkpoint: Checkpoint) -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(16, 4)

    return Part("linear", *ends, axes, build)


def test_an_axis_that_cannot_stay_dynamic(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"the axis 'time' of the part 'linear' dynamic") as caught:
        export(tmp_path / "a", part=linear("time"))
    assert '{"sizes": {"time": 10}}' in caught.value.hint
    assert "\n" not in caught.value.message
    assert not list((tmp_path / "a").glob("*.tflite"))
    with pytest.raises(Unsupported, match="cannot have the size 7") as caught:
        export(tmp_path / "b", options={"sizes": {"time": 7}}, part=linear("time"))
    assert "2 to 100 in steps of 2" in caught.value.hint


def test_an_axis_that_the_recipe_fixes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.standard_normal((1, time, 16)).astype(np.float32)} for time in [20] * 9 + [30] * 9]
    artifact = export(tmp_path, "int8", {"sizes": {"time": 20}}, part=linear("time"), calibration=feeds)
    assert artifact.census["choice"]["samples"] == 9  # those of another size cannot be used
    runner = RUNTIME.load(tmp_path / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (linear(20).inputs, linear(20).outputs)
    assert part_error(runner, calls(linear(20), feeds[:3])) < LIMITS["int8"]
    with pytest.raises(BadInput, match=r"'x' must be float32 \[1, 20, 16\]"):
        runner(feeds[-1])


def test_a_ready_file_whose_axis_is_dynamic(tmp_path: Path) -> None:
    """Files that others made may have such axes; the runner resizes."""
    b = Builder()
    x, y = (b.tensor((1, 1, 4), "float32", None) for _ in range(2))
    for index in (x, y):
        b.graph.tensors[index].shapeSignature = np.array([1, -1, 4], np.int32)
    b.add("TANH", [x], [y])
    content = b.finish([x], [y])
    ends = (TensorSpec("x", "float32", (1, "time", 4)),), (TensorSpec("y", "float32", (1, "time", 4)),)
    part = Part("network", *ends, {"time": Axis(1, 50, 7)}, None)
    artifact = export(tmp_path / "out", part=part, checkpoint=ready(tmp_path, content))
    runner = RUNTIME.load(tmp_path / "out" / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == ends
    for time in (1, 7, 50, 1):
        given = np.random.default_rng(0).standard_normal((1, time, 4)).astype(np.float32)
        np.testing.assert_allclose(runner({"x": given})["y"], np.tanh(given), rtol=1e-5)
    with pytest.raises(BadInput, match=r"'x' must be float32 \[1, 'time', 4\]"):
        runner({"x": np.zeros((1, 7, 5), np.float32)})


# --- ready files -----------------------------------------------------------------------------------------------------

CASE = Case(seed=3, height=8, width=7, channels=5, outputs=6, stride=(2, 1))


def ready(tmp_path: Path, content: bytes, name: str = "given.tflite") -> Checkpoint:
    file = tmp_path / name
    file.write_bytes(content)
    return Checkpoint(file, "tflite", {}, {}, {})


def part_of(content: bytes) -> Part:
    main = reader.read(content).subgraphs[0]

    def of(side: str, indices: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        tensors = [main.tensors[i] for i in indices]
        return tuple(TensorSpec(f"{side}{i}", t.dtype, t.shape) for i, t in enumerate(tensors))

    return Part("network", of("in", main.inputs), of("out", main.outputs), {}, None)


def test_a_ready_file_is_copied_as_it_is(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    part = part_of(content)
    artifact = export(tmp_path / "out", "int8", part=part, checkpoint=ready(tmp_path, content))
    assert (tmp_path / "out" / artifact.file).read_bytes() == content
    assert artifact.census["operators"] == {"CONV_2D": 1}
    assert (artifact.census["compute"], artifact.census["weighted_int8"]) == ("int8", 1)
    runner = RUNTIME.load(tmp_path / "out" / artifact.file, 1)
    assert (runner.inputs, runner.outputs) == (part.inputs, part.outputs)
    feeds = {"in0": np.random.default_rng(0).integers(-128, 128, part.inputs[0].shape).astype(np.int8)}
    np.testing.assert_allclose(
        runner(feeds)["out0"], MicroRunner(content, part.inputs, part.outputs)(feeds)["out0"], atol=1
    )


def test_a_ready_file_of_another_precision(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    for precision in ("fp32", "fp16"):
        with pytest.raises(Unsupported, match=f"is int8; it cannot become {precision}") as caught:
            export(tmp_path / precision, precision, part=part_of(content), checkpoint=ready(tmp_path, content))
        assert "--precision int8" in caught.value.hint


def test_a_ready_float_file_is_quantized(tmp_path: Path) -> None:
    export(tmp_path / "float")
    given = ready(tmp_path, (tmp_path / "float" / "image.tflite").read_bytes())
    part = Part("image", PIXELS, SCORES, {}, None)
    census = export(tmp_path / "int8", "int8", part=part, checkpoint=given, calibration=pictures()).census
    assert (census["weighted_int8"], census["weighted_float"]) == (4, 0)
    runner = RUNTIME.load(tmp_path / "int8" / "image.tflite", 1)
    assert part_error(runner, calls(IMAGE, pictures(4))) < LIMITS["int8"]


def test_a_ready_file_of_old(tmp_path: Path) -> None:
    """Before 2020 the kind of an operator was in another field, which the quantizer does not look at."""
    export(tmp_path / "float")
    old = litert_file.parse((tmp_path / "float" / "image.tflite").read_bytes())
    for code in old.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    given = ready(tmp_path, litert_file.pack(old))
    part = Part("image", PIXELS, SCORES, {}, None)
    census = export(tmp_path / "int8", "int8", part=part, checkpoint=given, calibration=pictures()).census
    assert (census["weighted_int8"], census["float_operators"]) == (4, [])


def test_what_does_not_run_is_not_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise BadInput("LiteRT refuses it.")

    monkeypatch.setattr(candidates, "LitertRunner", refused)
    with pytest.raises(ExportFailed, match="made of the part 'image' does not run: LiteRT refuses it"):
        export(tmp_path, "int8")


def test_a_ready_file_with_other_tensors(tmp_path: Path) -> None:
    content = product(CASE, "CONV_2D")
    part = Part("network", PIXELS, SCORES, {}, None)
    with pytest.raises(BadInput, match="the part 'network' needs"):
        export(tmp_path / "out", "int8", part=part, checkpoint=ready(tmp_path, content))


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated"])
def test_a_ready_file_that_is_damaged(tmp_path: Path, damage: str) -> None:
    whole = product(CASE, "CONV_2D")
    content = {"empty": b"", "garbage": bytes(range(256)) * 20, "truncated": whole[: len(whole) // 2]}[damage]
    with pytest.raises(BadInput, match=r"\.tflite"):
        export(tmp_path / "out", "int8", part=part_of(whole), checkpoint=ready(tmp_path, content))


def test_a_model_that_remembers(tmp_path: Path) -> None:
    """Its runner can be told to forget, and then answers as a new one does."""
    content = stream()
    part = part_of(content)
    artifact = export(tmp_path / "out", "fp32", part=part, checkpoint=ready(tmp_path, content))
    runner: Any = RUNTIME.load(tmp_path / "out" / artifact.file, 1)
    rng = np.random.default_rng(0)
    feeds = [{"in0": rng.integers(-900, 900, (1, 1, 4)).astype(np.int16)} for _ in range(5)]
    first = [runner(feed)["out0"] for feed in feeds]
    again = [runner(feed)["out0"] for feed in feeds]
    runner.reset()
    fresh = [runner(feed)["out0"] for feed in feeds]
    assert not np.array_equal(first, again)
    np.testing.assert_array_equal(first, fresh)
    np.testing.assert_array_equal(first[0][0, :2], np.arange(-4, 4, dtype=np.int16).reshape(2, 4) * 5000)
