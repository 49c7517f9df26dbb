"""Tables that stay in the file: mapped, read when they are looked up, and never where that would be wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import BadInput
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
from edgekit.runtimes.onnxruntime.tables import Tables

ROWS, WIDTH = 3000, 512


def _saved(folder: Path, table: NDArray[Any], operator: str = "Gather", before: bytes = b"") -> Path:
    """Rows of a table; `before` moves what lies behind it in the file by its length."""
    nodes = [
        helper.make_node(operator, ["table", "ids"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["y"], to=TensorProto.FLOAT),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "toy", [ids], [y], [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model.producer_name = before.decode()
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def _bytes() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (ROWS, WIDTH)).astype(np.uint8)


def test_a_table_is_mapped_as_it_is(tmp_path: Path) -> None:
    table = _bytes()
    tables = Tables(_saved(tmp_path, table))
    assert list(tables.arrays) == ["table"]
    assert np.array_equal(tables.arrays["table"], table)
    tables.forget()
    assert np.array_equal(tables.arrays["table"][7], table[7])


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be written there")
def test_a_look_up_reads_the_file(tmp_path: Path) -> None:
    """Proof that onnxruntime has no copy: what is written into the file afterwards is what it answers."""
    table = _bytes()
    file = _saved(tmp_path, table)
    runner, ids = OnnxRunner(file, 1), np.array([5, 2999])
    assert np.array_equal(runner({"ids": ids})["y"], table[ids])
    with file.open("r+b") as stream:
        stream.seek(file.read_bytes().index(table[5].tobytes()))
        stream.write(bytes(WIDTH))
    assert not runner({"ids": ids})["y"][0].any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_answers_are_those_of_a_copy(tmp_path: Path, dtype: str) -> None:
    table = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(dtype)
    file, ids = _saved(tmp_path, table), {"ids": np.array([0, 17])}
    assert np.array_equal(OnnxRunner(file, 1)(ids)["y"], OnnxRunner(file.read_bytes(), 1)(ids)["y"])


def test_what_is_not_where_its_dtype_can_be_read_is_left_to_onnxruntime(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    mapped = [list(Tables(_saved(tmp_path, table, before=b"x" * i)).arrays) for i in range(4)]
    assert sorted(mapped) == [[], [], [], ["table"]]


def test_small_tables_and_other_tensors_are_left_to_onnxruntime(tmp_path: Path) -> None:
    assert not Tables(_saved(tmp_path, _bytes()[:10])).arrays
    assert not Tables(_saved(tmp_path, _bytes(), operator="GatherElements")).arrays


def test_a_size_that_the_shape_does_not_have(tmp_path: Path) -> None:
    model = onnx.load(_saved(tmp_path, _bytes()))
    model.graph.initializer[0].dims[0] = ROWS + 1
    file = tmp_path / "wrong.onnx"
    file.write_bytes(model.SerializeToString())
    assert not Tables(file).arrays
    with pytest.raises(BadInput, match=r"wrong\.onnx"):
        OnnxRunner(file, 1)


def test_a_truncated_file(tmp_path: Path) -> None:
    file = _saved(tmp_path, _bytes())
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(BadInput, match="truncated"):
        OnnxRunner(file, 1)
