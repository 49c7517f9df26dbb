"""Packed files of a bundle: small, the same every time, and refused where they are not what they should be."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from edgekit.common import packed
from edgekit.errors import BadInput


@pytest.fixture
def steps() -> bytes:
    """Bytes of normal steps that say 4.05 bits each (log2 of 4 times the root of 2 pi e)."""
    return np.rint(np.random.default_rng(0).standard_normal(1 << 20) * 4).astype(np.int8).tobytes()


def test_it_takes_the_bits_that_bytes_say_and_is_gzip(steps: bytes, tmp_path: Path) -> None:
    for name in ("a.onnx.gz", "b.onnx.gz"):
        packed.pack(steps, tmp_path / name)
    made = (tmp_path / "a.onnx.gz").read_bytes()
    assert made == (tmp_path / "b.onnx.gz").read_bytes()
    assert len(made) * 8 / len(steps) < 4.05 + 0.1
    assert gzip.decompress(made) == steps


def test_a_plain_file_for_a_while(steps: bytes, tmp_path: Path) -> None:
    file = tmp_path / "part.onnx.gz"
    packed.pack(steps, file)
    with packed.plain(file) as whole:
        assert (whole.name, whole.read_bytes()) == ("part.onnx", steps)
    assert not whole.parent.exists()
    with packed.plain(whole := tmp_path / "other.onnx") as same:
        assert same is whole
    assert packed.plain_name("part.onnx.gz") == packed.plain_name("part.onnx") == "part.onnx"


@pytest.mark.parametrize("name", ["part.onnx", "part.onnx.gz"])
def test_unpacked_into_a_file(name: str, steps: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(steps if name.endswith("x") else gzip.compress(steps))
    assert packed.unpack(tmp_path / name, tmp_path / "out").read_bytes() == steps


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-9], "cut off"),
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: data + b"x", "something follows"),
        (lambda data: data + data, "something follows"),
        (lambda data: b"", "cut off"),
        (lambda data: b"\0" * 99, "header"),
        (lambda data: data[:5000] + bytes(9) + data[5009:], "cannot be unpacked"),
        (lambda data: data[:-8] + bytes(8), "incorrect"),
    ],
)
def test_damaged_files(change: object, said: str, steps: bytes, tmp_path: Path) -> None:
    (tmp_path / "part.onnx.gz").write_bytes(change(gzip.compress(steps)))  # type: ignore[operator]
    with pytest.raises(BadInput, match=said), packed.plain(tmp_path / "part.onnx.gz"):
        pass


def test_more_than_a_file_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_MOST", 3 << 20)
    packed.pack(bytes(3 << 20), tmp_path / "whole.onnx.gz")
    packed.unpack(tmp_path / "whole.onnx.gz", tmp_path / "out")
    packed.pack(bytes((3 << 20) + 1), tmp_path / "bomb.onnx.gz")
    assert (tmp_path / "bomb.onnx.gz").stat().st_size < 5000
    with pytest.raises(BadInput, match=f"holds more than {3 << 20} bytes"):
        packed.unpack(tmp_path / "bomb.onnx.gz", tmp_path / "out")
