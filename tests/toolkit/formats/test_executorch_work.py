"""What operators of a .pte multiply, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.formats.executorch.work import multiplications_of_portable, multiplications_of_xnnpack
from edgekit.formats.flatbuffer import Table


def tensors(*shapes: tuple[int, ...]) -> list[Table]:
    return [Table("Tensor", {"sizes": list(shape)}) for shape in shapes]


def convolved(turned: bool, source: tuple[int, ...], weights: tuple[int, ...], out: tuple[int, ...]) -> Any:
    lists = [Table("IntList", {"items": []})] * 3
    middle = [Table("Null", {}), *lists, Table("Bool", {"bool_val": turned}), lists[0], Table("Int", {"int_val": 1})]
    return [*tensors(source, weights), *middle, *tensors(out, out)]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("aten::mm.out", tensors((2, 6), (6, 5), (2, 5), (2, 5)), 60),
        ("aten::bmm.out", tensors((3, 2, 6), (3, 6, 5), (3, 2, 5), (3, 2, 5)), 180),
        ("aten::addmm.out", tensors((5,), (2, 6), (6, 5), (2, 5), (2, 5)), 60),
        ("aten::convolution.out", convolved(False, (1, 3, 6, 6), (8, 3, 3, 3), (1, 8, 4, 4)), 3456),
        ("aten::convolution.out", convolved(True, (1, 3, 4, 4), (3, 5, 2, 2), (1, 5, 8, 8)), 960),
        ("aten::add.out", tensors((2, 6), (2, 6), (2, 6)), 0),
    ],
)
def test_portable_operators(name: str, arguments: Any, expected: int) -> None:
    assert multiplications_of_portable(name, arguments) == expected


def test_an_operator_that_is_given_something_else() -> None:
    with pytest.raises(LookupError):
        multiplications_of_portable("aten::convolution.out", tensors((1, 3, 6, 6)))


CONVOLUTION = {"kernel_height": 3, "kernel_width": 3, "group_input_channels": 3, "group_output_channels": 8}


@pytest.mark.parametrize(
    ("kind", "facts", "shapes", "expected"),
    [
        ("FullyConnected", {}, {"input1_id": (2, 6), "filter_id": (5, 6), "output_id": (2, 5)}, 60),
        ("BatchMatrixMultiply", {}, {"input1_id": (3, 2, 6), "input2_id": (3, 6, 5), "output_id": (3, 2, 5)}, 180),
        ("Conv2d", CONVOLUTION, {"input1_id": (1, 6, 6, 3), "output_id": (1, 4, 4, 8)}, 3456),
        (
            "DepthwiseConv2d",
            {**CONVOLUTION, "group_input_channels": 1, "group_output_channels": 1},
            {"input1_id": (1, 6, 6, 8), "output_id": (1, 4, 4, 8)},
            1152,
        ),
        ("ConvTranspose2d", CONVOLUTION, {"input1_id": (1, 4, 4, 3), "output_id": (1, 8, 8, 8)}, 3456),
        ("ScaledDotProductAttention", {}, {"query_id": (1, 2, 4, 8), "key_id": (1, 2, 5, 8)}, 640),
        ("Add", {}, {"input1_id": (2, 6), "input2_id": (2, 6), "output_id": (2, 6)}, 0),
    ],
)
def test_operators_of_xnnpack(kind: str, facts: Any, shapes: Any, expected: int) -> None:
    assert multiplications_of_xnnpack(Table(kind, facts), shapes) == expected
