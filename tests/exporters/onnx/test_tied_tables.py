"""Embeddings that are the output projection, too: stored once, in every form, for runtimes with and without blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.cases.onnx_cases import VOCABULARY, WIDTH, Toy, export, feeds, part
from numpy.typing import NDArray
from onnx import numpy_helper

from edgekit.numerics.parity import LIMITS, part_error
from edgekit.runtimes.onnxruntime import RUNTIME
from edgekit.runtimes.torch.runner import TorchRunner


def initializers(file: Path) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}


def test_a_tied_table_is_stored_once(tmp_path: Path) -> None:
    export(tmp_path, "int8")
    arrays = initializers(tmp_path / "toy.onnx")
    assert [name for name, array in arrays.items() if array.size >= VOCABULARY * WIDTH] == ["table:1.int8"]
    runner = RUNTIME.load(tmp_path / "toy.onnx", 1)
    # What the look-up gives is what the projection multiplies with: both sides of one rounding.
    scores = runner(feeds(new=4))["scores"]
    assert scores.shape == (1, 4, VOCABULARY)


def test_a_tied_table_with_a_forced_form(tmp_path: Path) -> None:
    for form in ("blockwise", "dynamic"):
        artifact = export(tmp_path / form, "int8", options={"form": {"toy": form}})
        forms = {name: layer["form"] for name, layer in artifact.census["layers"].items()}
        assert forms == {"up": form, "down": form, "table:1": "blockwise"}
        calls = [(feeds(time=60, new=3), TorchRunner(part(), Toy())(feeds(time=60, new=3)))]
        assert part_error(RUNTIME.load(tmp_path / form / "toy.onnx", 1), calls) < LIMITS["int8"]


@pytest.mark.parametrize("form", [None, "blockwise", "dynamic"])
def test_a_runtime_without_blocks(tmp_path: Path, form: str | None) -> None:
    """Weights are in int8 and stored once, whether they are computed in integers or not."""
    artifact = export(
        tmp_path, "int8", options={"form": {"toy": form}} if form else {}, calibration=[feeds(time=60, new=3)],
        runtime="onnxruntime-web",
    )  # fmt: skip
    forms = {name: layer["form"] for name, layer in artifact.census["layers"].items()}
    wanted = {
        None: {"dynamic", "rows", "int16"},
        "blockwise": {"int16"},
        "dynamic": {"dynamic", "int16"},
    }
    assert set(forms.values()) <= wanted[form] and forms.keys() >= {"up", "down", "table:1"}
    assert "MatMulNBits" not in artifact.census["operators"]
    large = [array for array in initializers(tmp_path / "toy.onnx").values() if array.size >= VOCABULARY * WIDTH]
    assert [array.dtype for array in large] == [np.int8]
    calls = [(feeds(time=60, new=3, seed=9), TorchRunner(part(), Toy())(feeds(time=60, new=3, seed=9)))]
    assert part_error(RUNTIME.load(tmp_path / "toy.onnx", 1), calls) < LIMITS["int8"]


def test_a_tied_table_whose_width_is_no_whole_number_of_blocks(tmp_path: Path) -> None:
    """The table stays float (in half) for the look-up, and the census says so."""
    given = part(lambda checkpoint: Toy(100, 1024), width=100)
    census = export(tmp_path, "int8", given=given, options={"form": {"toy": "blockwise"}}).census
    assert census["bytes"]["float16"] >= 2 * VOCABULARY * 100
    calls = [(feeds(time=60, new=3), TorchRunner(given, Toy(100, 1024))(feeds(time=60, new=3)))]
    assert part_error(RUNTIME.load(tmp_path / "toy.onnx", 1), calls) < LIMITS["int8"]
