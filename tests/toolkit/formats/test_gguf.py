"""The reader of .gguf: what it finds, and that no damage gets past it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.cases.gguf_files import llama_file, llama_metadata, llama_tensors, text, value, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.formats.gguf import reader

SMALL = write({"general.architecture": "llama", "a.list": [1, 2]}, {"one.weight": np.ones((3, 8), np.float32)})


def save(folder: Path, content: bytes) -> Path:
    path = folder / "some.gguf"
    path.write_bytes(content)
    return path


def test_what_is_in_a_file_is_found(tmp_path: Path) -> None:
    found = reader.read(llama_file(tmp_path / "tiny.gguf"))
    assert (found.version, found.architecture, found.file_type, found.context_length) == (3, "llama", "f16", 2048)
    assert found.metadata["tokenizer.ggml.add_bos_token"] is True
    assert found.metadata["tokenizer.ggml.tokens"][1] == "<s>"
    by_name = {tensor.name: tensor for tensor in found.tensors}
    assert by_name.keys() == llama_tensors().keys()
    tensor = by_name["blk.0.ffn_down.weight"]
    assert (tensor.type, tensor.shape, tensor.size) == ("f16", (512, 256), 2 * 512 * 256)
    content = (tmp_path / "tiny.gguf").read_bytes()
    held = np.frombuffer(content, np.float16, tensor.count, tensor.offset).reshape(256, 512)
    assert np.array_equal(held, llama_tensors()["blk.0.ffn_down.weight"])


def test_the_census_counts_bytes_and_bits(tmp_path: Path) -> None:
    one = {"a.weight": np.ones((4, 32), np.float16), "b.weight": np.ones(64, np.float32)}
    facts = reader.census(reader.read(save(tmp_path, write({}, one))))
    assert facts == reader.Census({"f16": 256, "f32": 256}, 192, 8 * 512 / 192)


def test_long_arrays_are_counted_and_not_kept(tmp_path: Path) -> None:
    content = write({"words": ["ab"] * 1000, "numbers": [1.0] * 1000, "few": ["a"]}, {})
    found = reader.read(save(tmp_path, content))
    assert found.metadata["words"] == reader.LongArray("string", 1000)
    assert found.metadata["numbers"] == reader.LongArray("f", 1000)
    assert found.plain == {"few": ["a"]}


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    assert reader.read(save(tmp_path, SMALL)).tensors[0].count == 24
    for length in range(len(SMALL)):
        with pytest.raises(BadInput):
            reader.read(save(tmp_path, SMALL[:length]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (write({}, {}, magic=b"GGML"), "does not start with GGUF"),
        (write({}, {}, version=4), "of GGUF version 4"),
        (write({}, {}, version=1), "of GGUF version 1"),
        (write({}, {}, version=3 << 24), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 40), "metadata entries"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 0), "tensors"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 50), "more than any real one"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 100), "reaches past its end"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text(b"\xff\xfe") + value(1), "not UTF-8"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IQ", 99, 0), "unknown type 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "array of the unknown"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 1 << 60), "strings"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 10, 1 << 60), "past its end"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + 2 * (text("k") + value(1)), "twice"),
        (write({"general.alignment": 12}, {}), "alignment"),
        (write({"general.alignment": "32"}, {}), "alignment"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        reader.read(save(tmp_path, content))


@pytest.mark.parametrize(
    ("axes", "kind", "offset", "why"),
    [
        ([], 0, 0, "0 axes"),
        ([1] * 5, 0, 0, "5 axes"),
        ([0], 0, 0, "shape"),
        ([1 << 40, 1 << 40], 0, 0, "shape"),
        ([100], 12, 0, "shape"),  # not whole blocks of 256
        ([8], 4, 0, "unknown type 4"),
        ([8], 0, 1 << 40, "past its end"),
        ([8], 0, 16, "multiple of 32"),
        ([1 << 30], 0, 0, "past its end"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(tmp_path: Path, axes: list[int], kind: int, offset: int, why: str) -> None:
    entry = text("w") + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, offset)
    with pytest.raises(BadInput, match=why):
        reader.read(save(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + entry + bytes(64)))


def test_tensors_that_share_bytes_or_names_are_refused(tmp_path: Path) -> None:
    def entry(name: str, offset: int) -> bytes:
        return text(name) + struct.pack("<IQIQ", 1, 16, 0, offset)

    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
    with pytest.raises(BadInput, match="inside of another"):
        reader.read(save(tmp_path, head + entry("a", 0) + entry("b", 32) + bytes(256)))
    with pytest.raises(BadInput, match="twice"):
        reader.read(save(tmp_path, head + entry("a", 0) + entry("a", 64) + bytes(256)))
    with pytest.raises(BadInput, match="name has 64 bytes"):  # GGML_MAX_NAME counts a zero
        reader.read(save(tmp_path, head + entry("a" * 64, 0) + entry("b", 64) + bytes(256)))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_give_a_sound_file_or_bad_input(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(SMALL)
    for place, byte in changes:
        content[place] = byte
    try:
        found = reader.read(save(tmp_path, bytes(content)))
    except BadInput:
        return
    for tensor in found.tensors:
        assert tensor.size > 0 and tensor.offset > 24 and tensor.offset + tensor.size <= len(content)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_after_the_magic_are_no_more_than_bad_input(
    tmp_path: Path, tail: bytes, tensors: int, keys: int
) -> None:
    try:
        reader.read(save(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + tail))
    except BadInput as exc:
        assert "some.gguf" in exc.message


# ----------------------------------------------------------------------------------------------- as a checkpoint


def test_a_file_and_its_folder_are_checkpoints(tmp_path: Path) -> None:
    file = llama_file(tmp_path / "tiny.gguf")
    for path in (file, tmp_path):
        found = read_checkpoint(path)
        assert (found.format, found.path, dict(found.tensors), list(found.files)) == ("gguf", file, {}, ["tiny.gguf"])
        assert found.config["general.architecture"] == "llama"
    llama_file(tmp_path / "other.gguf")
    with pytest.raises(BadInput, match=r"2 \.gguf files where 1"):
        read_checkpoint(tmp_path)


def test_shards_belong_together(tmp_path: Path) -> None:
    names = [f"tiny-{i:05}-of-00002.gguf" for i in (1, 2)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(write({**llama_metadata(), "split.no": i, "split.count": 2}, {}))
    for path in (tmp_path, tmp_path / names[1]):
        found = read_checkpoint(path)
        assert (found.path, list(found.files)) == (tmp_path / names[0], names)
    (tmp_path / names[1]).write_bytes(SMALL)
    with pytest.raises(BadInput, match="not the shards that their names promise"):
        read_checkpoint(tmp_path)
    (tmp_path / names[1]).unlink()
    with pytest.raises(BadInput, match=f"lacks {names[1]}"):
        read_checkpoint(tmp_path / names[0])
