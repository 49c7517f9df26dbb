"""`edgekit.formats.checkpoint`: every format read back exactly, every damaged or hostile file refused with BadInput."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.toys.toys import bad_input_or_checkpoint, damage, sha256
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file

from edgekit.errors import BadInput
from edgekit.formats import torch_pickles
from edgekit.formats.checkpoint import read_checkpoint

CONFIG = {"model_type": "toy", "d_model": 4}
STATE = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b.weight": torch.tensor([[1.5, -2.0]], dtype=torch.float16),
    "c": torch.tensor(7, dtype=torch.int64),
    "d": torch.tensor([1.0, -3.0, 0.1], dtype=torch.bfloat16),
}


def same_as_state(tensors: Mapping[str, NDArray[Any]]) -> None:
    assert tensors.keys() == STATE.keys()
    for name, tensor in STATE.items():
        expected = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
        assert (tensors[name].dtype, tensors[name].shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(tensors[name], expected)


def hugging_face(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(STATE, folder / "model.safetensors")
    return folder


# -------------------------------------------------------------------------------------------------- Hugging Face


@pytest.mark.parametrize("file", ["", "model.safetensors"])
def test_a_hugging_face_folder(tmp_path: Path, file: str) -> None:
    checkpoint = read_checkpoint(hugging_face(tmp_path) / file)
    assert (checkpoint.format, checkpoint.path, checkpoint.config) == ("safetensors", tmp_path, CONFIG)
    same_as_state(checkpoint.tensors)
    names = ("config.json", "model.safetensors")
    assert checkpoint.files == {name: sha256(tmp_path / name) for name in names}


def test_a_safetensors_file_of_another_name(tmp_path: Path) -> None:
    hugging_face(tmp_path)
    save_file({"other": STATE["a"]}, tmp_path / "other.safetensors")
    assert list(read_checkpoint(tmp_path / "other.safetensors").tensors) == ["other"]


def sharded(folder: Path) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    where = {"a": "s-1.safetensors", "b.weight": "s-1.safetensors", "c": "s-2.safetensors", "d": "s-2.safetensors"}
    for shard in set(where.values()):
        save_file({name: STATE[name] for name in where if where[name] == shard}, folder / shard)
    index(folder, where)
    return where


def index(folder: Path, where: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


@pytest.mark.parametrize("file", ["", "s-2.safetensors", "model.safetensors.index.json"])
def test_shards(tmp_path: Path, file: str) -> None:
    sharded(tmp_path)
    checkpoint = read_checkpoint(tmp_path / file)
    assert (checkpoint.format, checkpoint.path) == ("safetensors", tmp_path)
    same_as_state(checkpoint.tensors)
    assert checkpoint.files == {path.name: sha256(path) for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda where: where.update(a="../s-1.safetensors"), "not in its folder"),
        (lambda where: where.update(a="s-3.safetensors"), "not in its folder"),
        (lambda where: where.update(e="s-1.safetensors"), "do not agree about the tensor e"),
        (lambda where: where.pop("a"), "do not agree about the tensor a"),
        (lambda where: where.update(a=3), "has no weight_map"),
        (lambda where: where.clear(), "has no weight_map"),
    ],
)
def test_an_index_that_does_not_fit(tmp_path: Path, change: Callable[[dict[str, Any]], Any], reason: str) -> None:
    where: dict[str, Any] = dict(sharded(tmp_path))
    (tmp_path.parent / "s-1.safetensors").write_bytes((tmp_path / "s-1.safetensors").read_bytes())
    change(where)
    index(tmp_path, where)
    with pytest.raises(BadInput, match=reason):
        read_checkpoint(tmp_path)


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    where = sharded(tmp_path)
    save_file(STATE, tmp_path / "s-2.safetensors")
    index(tmp_path, where)
    with pytest.raises(BadInput, match="in two files"):
        read_checkpoint(tmp_path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_safetensors_file_is_bad_input_or_a_checkpoint(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = hugging_face(Path(name))
        file = folder / "model.safetensors"
        file.write_bytes(damage(file.read_bytes(), data))
        bad_input_or_checkpoint(folder)


# ------------------------------------------------------------------------------------------------ PyTorch, OpenAI


def test_a_pytorch_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    torch.save(STATE, tmp_path / "pytorch_model.bin")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        checkpoint = read_checkpoint(path)
        assert (checkpoint.format, checkpoint.config) == ("pytorch", CONFIG)
        same_as_state(checkpoint.tensors)
        assert set(checkpoint.files) == {"config.json", "pytorch_model.bin"}


@pytest.mark.parametrize("as_folder", [True, False])
def test_an_openai_file(tmp_path: Path, as_folder: bool) -> None:
    dims = {"n_mels": 80, "n_vocab": 51865}
    file = tmp_path / "base.pt"
    torch.save({"dims": dims, "model_state_dict": STATE}, file)
    checkpoint = read_checkpoint(tmp_path if as_folder else file)
    assert (checkpoint.format, checkpoint.config, checkpoint.path) == ("openai", dims, file)
    same_as_state(checkpoint.tensors)
    assert checkpoint.files == {"base.pt": sha256(file)}


class Evil:
    """Unpickled without care, it would leave a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["base.pt", "pytorch_model.bin"])
@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_that_wants_to_run_code(tmp_path: Path, name: str, new_format: bool) -> None:
    mark = tmp_path / "mark"
    content = {"dims": {"n": 1}, "model_state_dict": STATE, "evil": Evil(mark)}
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=new_format)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput):
        read_checkpoint(tmp_path)
    assert not mark.exists()
    torch.load(tmp_path / name, weights_only=False)
    assert mark.exists()  # or this test would prove nothing


@pytest.mark.parametrize(
    "content",
    [
        {"dims": {"n": 1}},
        {"dims": {"n": "1"}, "model_state_dict": STATE},
        {"dims": {"n": 1}, "model_state_dict": {"a": 3}},
        {"dims": {"n": 1}, "model_state_dict": {3: STATE["a"]}},
        {"dims": {"n": 1}, "model_state_dict": {"huge": torch.zeros(1).expand(1 << 40)}},
        {"dims": {"n": 1}, "model_state_dict": {"sparse": torch.eye(3).to_sparse()}},
        {"dims": {"n": 1}, "model_state_dict": {"meta": torch.zeros(3, device="meta")}},
        {"dims": {"n": 1}, "model_state_dict": {"float8": torch.zeros(3).to(torch.float8_e4m3fn)}},
        [1, 2],
    ],
)
def test_pt_files_that_hold_something_else(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("name", ["x.pt", "x.pth"])
def test_a_bare_state_dict(tmp_path: Path, name: str, new_format: bool) -> None:
    torch.save(STATE, tmp_path / name, _use_new_zipfile_serialization=new_format)
    for place in (tmp_path / name, tmp_path):
        checkpoint = read_checkpoint(place)
        assert (checkpoint.format, checkpoint.config) == ("pytorch", {})
        assert list(checkpoint.tensors) == list(STATE)
        for key, value in STATE.items():
            assert np.array_equal(checkpoint.tensors[key], value.float().numpy())


def test_an_older_file_with_sizes_that_it_does_not_have(tmp_path: Path) -> None:
    """PyTorch would allocate them before it reads."""
    torch.save({"a": torch.zeros(70_000)}, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "x.pt").read_bytes()
    size = (70_000).to_bytes(4, "little")
    assert data.count(size) >= 2
    (tmp_path / "x.pt").write_bytes(data.replace(size, (1 << 30).to_bytes(4, "little")))
    with pytest.raises(BadInput):
        read_checkpoint(tmp_path / "x.pt")
    with (tmp_path / "x.pt").open("wb") as file:
        file.write(data[:400])
    with pytest.raises(BadInput):
        read_checkpoint(tmp_path / "x.pt")


def older(body: bytes) -> bytes:
    """A file of PyTorch's older form whose object is what the pickle `body` makes."""
    whole = io.BytesIO()
    torch.save({}, whole, _use_new_zipfile_serialization=False)
    first = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    assert whole.getvalue().startswith(b"".join(first[:2]))
    return b"".join(first) + b"\x80\x02" + body + b"." + pickle.dumps([], 2) + bytes(4096)


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def storage(key: str, elements: int = 1000) -> bytes:
    """The tuple that a storage is named by, without the request for it."""
    start = b"(" + text("storage") + b"ctorch\nFloatStorage\n"
    return start + text(key) + text("cpu") + b"J" + elements.to_bytes(4, "little") + b"Nt"


#: A list of storages that are asked for behind what stands first; each alone is smaller than the file.
HOSTILE = {
    "many storages": b"](" + b"".join(storage(str(i)) + b"Q" for i in range(1000)) + b"e",
    "one storage of two sizes": b"](" + storage("a", 10) + b"Q" + storage("a", 1000) + b"Qe",
    "less than nothing": storage("a", 0xFFFFFFFF) + b"Q",
    "a size as a place in memory": storage("a").replace(b"J\xe8\x03\0\0", b"\x8a\x07" + bytes(6) + b"\x01") + b"Q",
    "remembered and asked for later": b"".join(storage(str(i)) + b"q%c" % i for i in range(256))
    + b"](" + b"".join(storage("a") + b"h%cQ" % i for i in range(256)) + b"e",
    "dropped": storage("a") + b"Q0N",
    "doubled": storage("a") + b"2Q",
    "memoized": storage("a") + b"\x94Q",
    "a storage as text": b"Pstorage\n",
    "a command": b"cos\nsystem\n" + text("touch mark") + b"\x85R",
    "memory for a number": b"c__builtin__\nbytearray\nJ" + (4000).to_bytes(4, "little") + b"\x85R",
    "a huge number": b"]\x8a\x09" + bytes(8) + b"\x01a",
    "a long number as text": b"L" + b"9" * 50 + b"L\n",
    "an argument as a place in memory": b"ctorch\nSize\n(\x8a\x07" + bytes(6) + b"\x01ttR",
    "a call without arguments": b"ctorch\nSize\n](Ke" + b"eR",
    "a mark that is not there": b"t",
    "what was never remembered": b"h\x05",
    "an empty stack": b"Q",
}  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_older_file_that_means_harm(tmp_path: Path, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before PyTorch sees it: unread, what it would allocate does not matter."""
    (tmp_path / "good.pt").write_bytes(older(b"](" + storage("a") + b"Qe"))
    torch_pickles.check(tmp_path / "good.pt")  # or these files would be refused for what they all are
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("PyTorch was asked to load it"))
    (tmp_path / "x.pt").write_bytes(older(body))
    with pytest.raises(BadInput, match=r"x\.pt"):
        read_checkpoint(tmp_path / "x.pt")


def test_an_older_file_of_an_optimizer_and_of_one_storage_for_two(tmp_path: Path) -> None:
    """Places in memory as keys and in lists are no sizes, and a storage counts once however many tensors lie in it."""
    both = torch.arange(3000.0)
    place = 140_000_000_000_000
    content = {"model_state": {"a": both, "b": both}, "optimizer": {"state": {place: 1}, "params": [place, place + 8]}}
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    tensors = read_checkpoint(tmp_path / "x.pt").tensors
    assert sorted(tensors) == ["model_state.a", "model_state.b"]
    assert np.array_equal(tensors["model_state.b"], both.numpy())


def test_an_older_file_whose_tensor_is_larger_than_its_storage(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(300, 200)[:3]}, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "x.pt").read_bytes()
    shape = b"K\x03K\xc8\x86"
    assert data.count(shape) == 1
    (tmp_path / "x.pt").write_bytes(data.replace(shape, b"M\xff\xffK\xc8\x86"))
    with pytest.raises(BadInput, match=r"x\.pt"):
        read_checkpoint(tmp_path / "x.pt")


def test_a_compressed_pt_file(tmp_path: Path) -> None:
    torch.save({"dims": {}, "model_state_dict": {"a": torch.zeros(1 << 20)}}, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as good, zipfile.ZipFile(tmp_path / "x.pt", "w", 8) as bomb:
        for name in good.namelist():
            bomb.writestr(name, good.read(name))
    with pytest.raises(BadInput, match="compressed"):
        read_checkpoint(tmp_path / "x.pt")


def test_a_truncated_pt_file(tmp_path: Path) -> None:
    torch.save({"dims": {"n": 1}, "model_state_dict": STATE}, tmp_path / "x.pt")
    data = (tmp_path / "x.pt").read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 1):
        (tmp_path / "x.pt").write_bytes(data[:length])
        with pytest.raises(BadInput):
            read_checkpoint(tmp_path / "x.pt")


# ------------------------------------------------------------------------------------------------- what it is


def test_anything_else_lists_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "model.caffemodel").write_bytes(b"x")
    two = tmp_path / "two"
    two.mkdir()
    for name in ("a.pt", "b.pt"):
        (two / name).write_bytes(b"x")
    bare = tmp_path / "bare"
    bare.mkdir()
    save_file(STATE, bare / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.caffemodel", tmp_path / "none", two, bare):
        with pytest.raises(BadInput) as failure:
            read_checkpoint(path)
        for accepted in ("model.safetensors", "pytorch_model.bin", "model.bin", "OpenAI .pt"):
            assert accepted in failure.value.hint


@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000, "\x00"])
def test_a_config_that_is_no_json_object(tmp_path: Path, content: str) -> None:
    hugging_face(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadInput, match=r"config\.json"):
        read_checkpoint(tmp_path)
