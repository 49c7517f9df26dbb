"""What XNNPACK takes of a program is counted in the file, by hand here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.absence import skip_without
from helpers.cases.executorch_cases import export
from helpers.toys.tiny_vision import PART, pictures
from torch import Tensor, nn

from edgekit.bundles.places import describe, placement_of, warnings
from edgekit.core import Lowering, Part, Placement, TensorSpec
from edgekit.runtimes.executorch import RUNTIME

pytestmark = pytest.mark.thorough

skip_without("executorch", "executorch is")


class Torn(nn.Module):
    """A convolution that XNNPACK takes, one of three axes that it does not, and a product that it takes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flat, self.deep, self.head = nn.Conv2d(2, 4, 3), nn.Conv3d(1, 2, 3), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.deep(self.flat(x).unsqueeze(1))  # [1, 4, 8, 8] -> [1, 1, 4, 8, 8] -> [1, 2, 2, 6, 6]
        return torch.relu(self.head(y.amax((-1, -2)).reshape(1, 4).repeat(1, 2)))


#: By hand: outputs times taps times inputs.
FLAT, DEEP, HEAD = 4 * 8 * 8 * 9 * 2, 2 * 2 * 6 * 6 * 27, 5 * 8
TORN = Part(
    "torn",
    (TensorSpec("x", "float32", (1, 2, 10, 10)),),
    (TensorSpec("y", "float32", (1, 5)),),
    {},
    lambda checkpoint: Torn().eval(),
)


def place(folder: Path, part: Part, precision: str = "fp32", feeds: Any = ()) -> Placement:
    artifact = export(folder, precision, part, feeds)
    placement = placement_of(RUNTIME.lower(artifact, folder / "out", Lowering(part, None, ())).census)
    assert placement is not None
    return placement


def test_shares_are_those_that_are_counted_by_hand(tmp_path: Path) -> None:
    placement = place(tmp_path, TORN)
    assert (placement.unit, placement.fidelity) == (RUNTIME.places, "counted")
    assert placement.multiplications == pytest.approx((FLAT + HEAD) / (FLAT + DEEP + HEAD))
    assert placement.pieces == 3 and len(warnings(placement)) == 1
    assert "convolution" in next(iter(placement.left.values())), "what multiplies most of all is named first"
    deep = Torn().deep
    assert deep.bias is not None
    held = sum(p.numel() for p in Torn().parameters())
    assert placement.weights == pytest.approx(1 - (deep.weight.numel() + deep.bias.numel()) / held, abs=0.02)
    said = describe("torn", placement)
    assert "3 pieces" in said[0] and any("convolution" in line for line in said)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_network_that_xnnpack_takes_is_one_piece_of_which_nothing_is_said(tmp_path: Path, precision: str) -> None:
    placement = place(tmp_path, PART, precision, pictures(20))
    assert (placement.multiplications, placement.weights, placement.pieces) == (1.0, 1.0, 1)
    assert describe("network", placement) == [] and warnings(placement) == []
