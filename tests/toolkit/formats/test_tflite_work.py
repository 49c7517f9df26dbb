"""What operators multiply, counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.formats.tflite import Operator, Subgraph, Tensor, Work, work_of


def tensor(*shape: int, held: bool = False) -> Tensor:
    return Tensor("", "int8", shape, None, np.zeros(shape, np.int8) if held else None)


@pytest.mark.parametrize(
    ("name", "ins", "out", "expected"),
    [
        ("CONV_2D", [tensor(1, 6, 6, 3), tensor(8, 3, 3, 3, held=True)], tensor(1, 4, 4, 8), Work(3456, 216)),
        ("CONV_3D", [tensor(1, 4, 4, 4, 2), tensor(2, 2, 2, 2, 5, held=True)], tensor(1, 3, 3, 3, 5), Work(2160, 80)),
        ("DEPTHWISE_CONV_2D", [tensor(1, 6, 6, 8), tensor(1, 3, 3, 8, held=True)], tensor(1, 4, 4, 8), Work(1152, 72)),
        ("FULLY_CONNECTED", [tensor(2, 12), tensor(5, 12, held=True)], tensor(2, 5), Work(120, 60)),
        (
            "TRANSPOSE_CONV",
            [tensor(4, held=True), tensor(5, 2, 2, 3, held=True), tensor(1, 4, 4, 3)],
            tensor(1, 8, 8, 5),
            Work(960, 64),
        ),
        ("BATCH_MATMUL", [tensor(2, 4, 6), tensor(2, 6, 5)], tensor(2, 4, 5), Work(240, 0)),
        ("BATCH_MATMUL", [tensor(2, 4, 6), tensor(2, 5, 6)], tensor(2, 4, 5), Work(240, 0)),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [tensor(1, 7, 3), tensor(4, 3, held=True), tensor(4, 4, held=True), tensor(4, held=True)],
            tensor(1, 7, 4),
            Work(196, 32),
        ),
        ("ADD", [tensor(1, 8), tensor(1, 8, held=True)], tensor(1, 8), Work(0, 8)),
    ],
)
def test_work(name: str, ins: Any, out: Tensor, expected: Work) -> None:
    graph = Subgraph((*ins, out), (0,), (len(ins),), ())
    assert work_of(graph, Operator(0, name, tuple(range(len(ins))), (len(ins),), {})) == expected


def test_what_puts_nothing_out_and_what_lacks_an_input() -> None:
    graph = Subgraph((tensor(1, 4), tensor(2, 4, held=True), tensor(1, 2)), (0,), (2,), ())
    assert work_of(graph, Operator(0, "CALL_ONCE", (), (), {})) == Work(0, 0)
    assert work_of(graph, Operator(0, "FULLY_CONNECTED", (0, 1, -1), (2,), {})) == Work(8, 8)
