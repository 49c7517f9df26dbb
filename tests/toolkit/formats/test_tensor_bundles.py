"""TensorFlow's variables: the index that MLPerf published, small ones written here, and damaged ones."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.toys.toys import bad_input_or_checkpoint, damage
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.common.files import hash_file
from edgekit.errors import BadInput
from edgekit.formats import tensor_bundles
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.formats.tensor_bundles import DATA, INDEX, table
from edgekit.registry import find

GOLDEN = Path(__file__).parents[2] / "golden" / "kws-variables.index"  # mlcommons/tiny, Apache-2.0
#: Bytes of the data file that belongs to it.
SIZE = 321_307


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published index, and a data file whose floats count up."""
    made = tmp_path_factory.mktemp("variables")
    shutil.copy(GOLDEN, made / INDEX)
    (made / DATA).write_bytes(np.arange(SIZE // 4 + 1, dtype="<f4").tobytes()[:SIZE])
    return made


def test_the_published_index_is_read(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    assert checkpoint.format == "tensorflow" and set(checkpoint.files) == {INDEX, DATA}
    found = checkpoint.tensors
    layers = {name: array for name, array in found.items() if name.startswith("layer_with_weights-")}
    assert len(layers) == 56 and not any("SLOT" in name for name in found)
    assert found["layer_with_weights-0/kernel"].shape == (10, 4, 1, 64)
    assert found["layer_with_weights-18/bias"].shape == (12,) and found["optimizer/iter"].dtype == "int64"
    # The weights lie one after another at the beginning, without a gap.
    begins = sorted((int(array.flat[0]), array.size) for array in layers.values())
    assert begins[0][0] == 0 and all(a + size == b for (a, size), (b, _) in itertools.pairwise(begins))


def test_the_network_is_the_one_of_the_same_numbers_in_a_npz(folder: Path, tmp_path: Path) -> None:
    from edgekit.models.keyword.network import network

    tensors = read_checkpoint(folder).tensors
    plain = {name.replace("layer_with_weights-", "layer_"): np.array(array) for name, array in tensors.items()}
    np.savez(tmp_path / "w.npz", **{name: array for name, array in plain.items() if name.startswith("layer_")})
    one, other = (network(read_checkpoint(path), 12).state_dict() for path in (folder, tmp_path / "w.npz"))
    assert one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_the_published_variables_are_those_of_the_npz(shared_data: Path) -> None:
    """Both sources of ds-cnn-kws hold the same weights: the published index has a checksum of every array."""
    published, mirrored = find("models", "ds-cnn-kws").weights.sources
    assert hash_file(GOLDEN) == {file.name: file.sha256 for file in published.files}[INDEX]
    archive = shared_data.parent / "models" / "mlperf-tiny" / "kws_ref_float.npz"
    assert hash_file(archive) == mirrored.files[0].sha256
    entries = {key.decode(): dict(tensor_bundles.fields(value)) for key, value in table(GOLDEN.read_bytes())}
    tensors = read_checkpoint(archive).tensors
    assert len(tensors) == 56
    for name, array in tensors.items():
        entry = entries[name.replace("layer_", "layer_with_weights-") + "/.ATTRIBUTES/VARIABLE_VALUE"]
        assert int.from_bytes(bytes(entry[6]), "little") == masked_crc32c(array.tobytes()), name


def masked_crc32c(data: bytes) -> int:
    """TensorFlow's checksum of an array: CRC-32C, rotated and moved."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_refused_or_read(folder: Path, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    broken = tmp_path_factory.mktemp("broken")
    shutil.copy(folder / DATA, broken / DATA)
    (broken / INDEX).write_bytes(damage(GOLDEN.read_bytes(), draw))
    bad_input_or_checkpoint(broken)


@pytest.mark.parametrize("content", [b"", b"x" * 47, b"x" * 400, GOLDEN.read_bytes()[:-1], GOLDEN.read_bytes()[9:]])
def test_what_is_no_index_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    shutil.copy(folder / DATA, tmp_path / DATA)
    (tmp_path / INDEX).write_bytes(content)
    with pytest.raises(BadInput, match="not a sound index"):
        read_checkpoint(tmp_path)


def test_data_that_was_cut_off_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / INDEX, tmp_path / INDEX)
    for size in (0, 1000):
        (tmp_path / DATA).write_bytes(bytes(size))
        with pytest.raises(BadInput, match="not a sound index"):
            read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        b"\x08\x01\x10\xff\xff\xff\xff\xff\x7f",  # a number in place of a shape
        b"\x08\x01\x12\x02\x10\x05",  # ... of a dimension
        b"\x0a\x01\x01",  # bytes in place of a dtype
        b"\x08\x01\x28\xff\xff\xff\xff\xff\x7f",  # more than there is
        b"\x08\x01\x12\x08\x12\x06\x08\x80\x80\x80\x80\x10\x28\x04",
        b"\x08\x01\x18\x01\x28\x04",  # in another data file
        b"\x08",
    ],
)
def test_hostile_entries_are_refused(tmp_path: Path, entry: bytes) -> None:
    (tmp_path / DATA).write_bytes(bytes(64))
    (tmp_path / INDEX).write_bytes(index({"w/.ATTRIBUTES/VARIABLE_VALUE": entry}))
    with pytest.raises(BadInput, match="not a sound index"):
        read_checkpoint(tmp_path)


def index(entries: dict[str, bytes]) -> bytes:
    """A table with one block."""

    def block(pairs: dict[bytes, bytes]) -> bytes:
        rows = b"".join(bytes([0, len(key), len(value)]) + key + value for key, value in pairs.items())
        return rows + bytes(4) + (1).to_bytes(4, "little")

    first = block({key.encode(): value for key, value in entries.items()})
    top = block({b"z": bytes([0, len(first)])})
    handles = bytes([0, 0, len(first) + 5, len(top)])
    return first + bytes(5) + top + bytes(5) + handles.ljust(40, b"\0") + tensor_bundles.MAGIC
