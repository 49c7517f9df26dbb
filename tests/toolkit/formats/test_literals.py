"""Arrays in the text of a Python file: read as data, and never run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.toys.toys import bad_input_or_checkpoint, damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import BadInput
from edgekit.formats import literals
from edgekit.formats.checkpoint import read_checkpoint

SOUND = """
import os, sys
raise SystemExit("this file was run")
w = np.array([[+0.5, -1, 2e-3], [4, 5, 6]])
b = numpy.array([1.0, -2.0])
def f():
    hidden = np.array([3.0])
other = np.zeros(3)
"""


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "policy.py"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_only_arrays_at_the_top_are_read(tmp_path: Path) -> None:
    file = written(tmp_path, SOUND)
    arrays = literals.read(file)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "w": [[0.5, -1.0, 0.002], [4.0, 5.0, 6.0]],
        "b": [1.0, -2.0],
    }
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.format == "literals" and np.array_equal(checkpoint.tensors["w"], arrays["w"])
    assert list(checkpoint.files) == ["policy.py"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n", "writes out no arrays"),
        ("", "writes out no arrays"),
        ("w = np.array([1, 2\n", "not a Python file"),
        ("w = np.array([[1, 2], [3]])", "ragged"),
        ("w = np.array([[1, 2], 3])", "ragged"),
        ("w = np.array([[], []])", "empty or ragged"),
        ("w = np.array([1, 2 + 3])", "nothing is computed"),
        ("w = np.array([__import__('os').getpid()])", "nothing is computed"),
        ("w = np.array([True])", "only numbers"),
        ("w = np.array(['1'])", "only numbers"),
        ("w = np.array([1e999])", "not finite"),
        (f"w = np.array([{'9' * 400}])", "too large"),
        (f"w = np.array({'[' * 9}1{']' * 9})", "lists inside one another"),
        (f"w = np.array({'[' * 5000}1{']' * 5000})", "not a Python file|lists inside one another"),
        (b"w = np.array([1])\0", "not a Python file"),
        (b"\xff\xfe", "not a Python file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        literals.read(written(tmp_path, text))


def test_a_file_of_any_size_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at most 4 MiB"):
        literals.read(written(tmp_path, b" " * ((4 << 20) + 1)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    bad_input_or_checkpoint(written(tmp_path, damage(SOUND.encode(), data)))
