"""What XNNPACK takes of a .tflite is counted, and what it does not take is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.absence import skip_without
from helpers.cases.tflite_models import Case, product, torn

from edgekit.bundles.places import describe, placement_of, warnings
from edgekit.core import Artifact, Lowering, Part, Placement
from edgekit.errors import BadInput
from edgekit.formats.tflite import Operator, Subgraph
from edgekit.runtimes.litert import RUNTIME
from edgekit.runtimes.litert.placing import find_operators

skip_without("ai_edge_litert", "LiteRT is")

ABOUT = Lowering(Part("network", (), (), {}, None), None, ())


def place(folder: Path, content: bytes) -> Placement:
    (folder / "network.tflite").write_bytes(content)
    placement = placement_of(RUNTIME.lower(Artifact("network", "network.tflite", {}), folder, ABOUT).census)
    assert placement is not None
    return placement


@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_a_whole_network_is_one_piece_of_which_nothing_is_said(tmp_path: Path, name: str) -> None:
    placement = place(tmp_path, product(Case(seed=3), name))
    assert (placement.unit, placement.fidelity, placement.pieces) == (RUNTIME.places, "counted", 1)
    assert (placement.multiplications, placement.weights, placement.left) == (1.0, 1.0, {})
    assert placement.by.startswith("ai-edge-litert ") and placement.proof is None
    assert describe("network", placement) == [] and warnings(placement) == []


def test_what_is_not_taken_is_named_and_counted(tmp_path: Path) -> None:
    placement = place(tmp_path, torn())
    assert placement.multiplications == 1.0 and placement.pieces == 2
    assert [*placement.left] == ["gathered"] and "GATHER_ND" in placement.left["gathered"]
    assert placement.weights is not None and 0 < placement.weights < 1, "its table of places is not there"
    said = describe("network", placement)
    assert "2 pieces" in said[0] and any("gathered" in line for line in said[1:])
    assert not any("right there" in line or "worth it" in line for line in said), "parity says that"


def test_a_network_of_which_nothing_is_taken(tmp_path: Path) -> None:
    """XNNPACK has no products of 16-bit values: the kernels are LiteRT's own."""
    placement = place(tmp_path, product(Case(seed=3, dtype="int16"), "CONV_2D"))
    assert (placement.multiplications, placement.weights, placement.pieces) == (0.0, 0.0, 0)
    assert len(placement.left) == 1 and warnings(placement) and describe("network", placement)


def test_operators_are_found_between_the_ends_of_a_piece() -> None:
    """0 -> a -> 1 -> b -> 2 -> c -> 3, and d from 1 to 4: a piece of b and d, and nothing before what it is given."""
    made = [("a", 0, 1), ("b", 1, 2), ("c", 2, 3), ("d", 1, 4)]
    operators = tuple(Operator(at, name, (x,), (y,), {}) for at, (name, x, y) in enumerate(made))
    graph = Subgraph((), (0,), (3,), operators)
    assert find_operators(graph, [({1}, {2, 4})]) == {1, 3}
    assert find_operators(graph, [({0}, {1}), ({2}, {3})]) == {0, 2}
    assert find_operators(graph, []) == set()


def test_a_damaged_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        place(tmp_path, torn()[:-200])
