"""What Core ML and Vulkan would take of a part is asked of ExecuTorch's partitioners, and only on request."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.absence import skip_without
from helpers.cases.executorch_cases import LONG, Sound, export
from torch import Tensor, nn

from edgekit.bundles.places import describe, placements_of
from edgekit.core import Part, Placement, TensorSpec
from edgekit.errors import Unsupported

pytestmark = pytest.mark.thorough

skip_without("executorch", "executorch is")


class Torn(nn.Module):
    """A logarithm, which Vulkan lacks, between two products."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(8, 24), nn.Linear(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(torch.log(self.wide(x).abs() + 1))
        return y


TORN = Part(
    "torn",
    (TensorSpec("x", "float32", (4, 8)),),
    (TensorSpec("y", "float32", (4, 8)),),
    {},
    lambda checkpoint: Torn(),
)


def asked(folder: Path, part: Part) -> dict[str, Placement]:
    found = placements_of(export(folder, "fp32", part, partitioners=True).census)
    return {placement.unit.partition(" in float")[0]: placement for placement in found}


def test_nobody_is_asked_without_the_option(tmp_path: Path) -> None:
    assert "partitioners" not in export(tmp_path, "fp32", TORN).census


def test_what_a_unit_lacks_is_named_and_tears_the_part(tmp_path: Path) -> None:
    found = asked(tmp_path, TORN)
    assert set(found) == {"Core ML", "Vulkan"}
    for placement in found.values():
        assert (placement.multiplications, placement.weights, placement.fidelity) == (1.0, 1.0, "estimated")
        assert placement.proof is None and "not measured" in "".join(describe("torn", placement))
    assert (found["Core ML"].pieces, found["Core ML"].left) == (1, {})
    assert found["Vulkan"].pieces == 2 and ["log" in why for why in found["Vulkan"].left.values()] == [True]


def test_a_part_with_a_dynamic_axis_is_asked_about(tmp_path: Path) -> None:
    assert all(placement.share == 1.0 for placement in asked(tmp_path, LONG).values())


def test_shares_are_of_multiplications_and_bytes() -> None:
    """Of `Sound` with 50 steps: a convolution of 4 to 8 channels and 3 taps, and a product of 8 to 6."""
    from edgekit.exporters.executorch.partitioners import place_nodes

    program = torch.export.export(Sound(), (torch.zeros(1, 4, 50),))
    conv, product = 50 * 8 * 4 * 3, 50 * 8 * 6
    tags = {node: "piece" if "conv" in node.name else None for node in program.graph.nodes}
    placement = place_nodes("unit", tags, program.graph_signature.user_inputs)
    assert placement.multiplications == pytest.approx(conv / (conv + product))
    assert placement.weights == pytest.approx((8 * 4 * 3 + 8) / (8 * 4 * 3 + 8 + 6 * 8 + 6))
    assert placement.pieces == 1 and next(iter(placement.left.values())).startswith("linear"), (
        "the heaviest comes first"
    )


def test_another_value_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="partitioners"):
        export(tmp_path, "fp32", TORN, partitioners="Vulkan")
