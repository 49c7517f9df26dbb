"""The verdict on an accelerator: noise is refused by the name of the layer, whatever the labels say."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.bundles.places import placement_of, warnings
from edgekit.core import Abilities, Artifact, Placement, Recipe, Runner, Runtime, TensorSpec
from edgekit.errors import ParityFailed
from edgekit.gate import placing

SPEC = TensorSpec("x", "float32", (1, 4))
RECIPE = Recipe("toy-unit", "fp16")
CALLS = [
    ({"x": np.full((1, 4), 1.0 + i, np.float32)}, {"y": np.full((1, 4), 2.0 + 2 * i, np.float32)}) for i in range(9)
]
PLACED = Placement("Toy unit", "a test", "simulated", 1.0, 1.0, 1, files=("network.toy",))


class Unit(Runtime):
    """Doubles, and is wrong by `error`."""

    name, formats, distributions, abilities, cpu = "toy-unit", ("onnx",), (), Abilities(), "onnxruntime"

    def __init__(self, error: float, least: float = 40.0) -> None:
        self.error, self.least, self.calls = error, least, 0

    def load(self, file: Path, threads: int) -> Runner:
        unit = self

        class Doubler(Runner):
            inputs, outputs = (SPEC,), (TensorSpec("y", "float32", (1, 4)),)

            def __call__(self, feeds: Any) -> Any:
                unit.calls += 1
                return {"y": 2 * feeds["x"] * np.float32(1 + unit.error)}

        return Doubler()

    def least_signal(self, recipe: Recipe, quantized: bool) -> float:
        return self.least

    def find_wrong_layer(self, file: Path, feeds: Any) -> str:
        return "Mul double (0 dB) after an input"


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """A part that doubles, with a file for its unit."""
    node = helper.make_node("Add", ["x", "x"], ["y"], name="double")
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4))] for name in "xy"]
    onnx.save(helper.make_model(helper.make_graph([node], "g", *ends), ir_version=10), tmp_path / "network.onnx")
    (tmp_path / "network.toy").write_bytes(b"compiled")
    return Artifact("network", "network.onnx", {"placement": asdict(PLACED)})


def test_a_part_that_is_right_keeps_its_place_and_says_how_far_it_is(artifact: Artifact, tmp_path: Path) -> None:
    proven, error = placing.judge_part(Unit(0.001), artifact, tmp_path, RECIPE, CALLS)
    placement = placement_of(proven.census)
    assert placement is not None and placement.proof is not None
    assert placement.verdict == "on the unit"
    assert placement.proof.cpu == pytest.approx(60, abs=0.1) and placement.proof.fp32 == pytest.approx(60, abs=0.1)
    assert placement.proof.calls == len(CALLS)
    assert error == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("error", [0.02, 1.0, float("nan"), float("inf")])
def test_a_part_that_is_wrong_is_refused_by_the_name_of_the_layer(
    artifact: Artifact, tmp_path: Path, error: float
) -> None:
    with pytest.raises(ParityFailed, match=r"'network' is wrong on Toy unit.*Mul double"):
        placing.judge_part(Unit(error), artifact, tmp_path, RECIPE, CALLS)


def test_an_output_that_is_next_to_nothing_in_one_call_is_judged_by_all(artifact: Artifact, tmp_path: Path) -> None:
    class Underflowing(Unit):
        def load(self, file: Path, threads: int) -> Runner:
            runner = super().load(file, threads)
            plain = type(runner).__call__

            def call(self: Any, feeds: Any) -> Any:
                made = plain(self, feeds)["y"]
                return {"y": np.where(made < 1e-6, np.float32(0), made)}

            type(runner).__call__ = call  # type: ignore[method-assign]
            return runner

    silent = ({"x": np.full((1, 4), 1e-9, np.float32)}, {"y": np.full((1, 4), 2e-9, np.float32)})
    proven, _ = placing.judge_part(Underflowing(0.0), artifact, tmp_path, RECIPE, [CALLS[0], silent])
    assert placement_of(proven.census) is not None
    with pytest.raises(ParityFailed):
        placing.judge_part(Underflowing(0.0), artifact, tmp_path, RECIPE, [silent])


def test_integers_may_be_no_further_from_fp32_than_the_processor(artifact: Artifact, tmp_path: Path) -> None:
    """22 dB beside the processor may still be much further from fp32 than the processor is."""
    whole = replace(artifact, census={**artifact.census, "layers": {"double": {"form": "static"}}})
    with pytest.raises(ParityFailed, match="dB from fp32, where the processor is"):
        placing.judge_part(Unit(0.05, least=22.0), whole, tmp_path, RECIPE, CALLS)
    proven, _ = placing.judge_part(Unit(0.05, least=22.0), artifact, tmp_path, RECIPE, CALLS)
    assert placement_of(proven.census) is not None


def test_what_is_left_off_leaves_no_file_behind(artifact: Artifact, tmp_path: Path) -> None:
    placement = placement_of(placing.leave_off(artifact, tmp_path, "it is noise there").census)
    assert placement is not None
    assert (placement.verdict, placement.why, [*placement.files]) == ("leave it off", "it is noise there", [])
    assert not (tmp_path / "network.toy").exists() and (tmp_path / "network.onnx").exists()


@pytest.mark.parametrize(
    ("placement", "least", "why"),
    [
        (replace(PLACED, multiplications=0.94, left={"last": "Gemm is not taken"}), 0.95, "last: Gemm is not taken"),
        (replace(PLACED, verdict="leave it off", why="it is noise"), 0.01, "it is noise"),
    ],
)
def test_too_little_on_the_unit_is_refused_with_the_layers(placement: Placement, least: float, why: str) -> None:
    with pytest.raises(ParityFailed, match=why):
        placing.check_placed([Artifact("network", "f", {"placement": asdict(placement)})], least)


def test_enough_on_the_unit_passes_and_so_does_what_has_no_multiplications() -> None:
    for placement in (replace(PLACED, multiplications=0.96), replace(PLACED, multiplications=None)):
        placing.check_placed([Artifact("network", "f", {"placement": asdict(placement)}), Artifact("b", "f", {})], 0.95)


def test_what_is_torn_apart_is_told() -> None:
    assert warnings(PLACED) == []
    assert len(warnings(replace(PLACED, multiplications=0.5, pieces=3))) == 2
    assert warnings(replace(PLACED, multiplications=0.0, verdict="leave it off")) == []


def test_counts_of_openvinos_kernels_in_an_older_bundle_are_no_placement() -> None:
    assert placement_of({"placement": {"MatMul": {"f32": 1, "i8": 36}}}) is None
    assert placement_of({}) is None
