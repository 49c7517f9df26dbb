"""The zip around a .pt2: members that are stored plainly, each once, of the sizes that the file has."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.documents import parse_json
from edgekit.errors import BadInput

#: Number of a dtype in the file -> its name and bytes.
DTYPES: Mapping[int, tuple[str, int]] = {
    1: ("uint8", 1), 2: ("int8", 1), 3: ("int16", 2), 4: ("int32", 4), 5: ("int64", 8), 6: ("float16", 2),
    7: ("float32", 4), 8: ("float64", 8), 10: ("complex64", 8), 12: ("bool", 1), 13: ("bfloat16", 2),
}  # fmt: skip
_MOST_MEMBERS = 100_000
_MOST_JSON = 256 << 20
_PROGRAM = "models/model.json"
_AGAIN = "Save it again with torch 2.10 or later: torch.export.save(program, path)."


class Payload(NamedTuple):
    """A weight or constant: where its bytes are, and how they are read. Sizes in elements, strides likewise."""

    member: str
    dtype: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    is_parameter: bool

    @property
    def elements(self) -> int:
        """Their number."""
        return math.prod(self.sizes)


class Archive(NamedTuple):
    """A checked .pt2: its program, still unchecked, its payloads by name, and the member that holds each.

    `version` is the archive's own.
    """

    path: Path
    root: str
    version: str
    program: Mapping[str, Any]
    weights: Mapping[str, Payload]
    constants: Mapping[str, Payload]


def open_archive(path: Path) -> Archive:
    """The archive at `path`. Nothing in it is unpickled, here or later.

    Raises:
        BadInput: no .pt2, damaged, of an older form, or with pickles that torch would run.
    """
    with sound(path) as file:
        return _read(path, file)


@contextlib.contextmanager
def sound(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`, open. Raises BadInput for whatever is wrong with it inside."""
    try:
        with zipfile.ZipFile(path) as file:
            yield file
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError, UnicodeDecodeError) as exc:
        raise BadInput(f"{path.name} is not a sound .pt2: {exc}.", hint=_AGAIN) from exc
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, MemoryError) as exc:
        raise BadInput(f"{path.name} is not a sound .pt2: it holds {exc}.", hint=_AGAIN) from exc


def _read(path: Path, file: zipfile.ZipFile) -> Archive:
    sizes = _sizes(path, file)
    root = _root(path, sizes)
    names = {name.removeprefix(f"{root}/") for name in sizes}
    if text := sorted(name for name in names if name.startswith(("data/weights/", "data/constants/", "models/"))):
        older = [name for name in text if name.endswith(".pt")]
        if older:
            raise BadInput(f"{path.name} is of an older form, whose weights are a pickle ({older[0]}).", hint=_AGAIN)
    if any(name.startswith("data/aotinductor/") for name in names):
        raise BadInput(f"{path.name} holds machine code of AOTInductor, which is not read.", hint=_AGAIN)
    if _PROGRAM not in names:
        raise BadInput(f"{path.name} holds no program named 'model'.", hint=_AGAIN)

    def content(name: str, most: int = _MOST_JSON) -> bytes:
        if sizes[f"{root}/{name}"] > most:
            raise ValueError(f"{name} of {sizes[f'{root}/{name}']} bytes")
        return file.read(f"{root}/{name}")

    if "byteorder" in names and content("byteorder", 16) != b"little":
        raise BadInput(f"{path.name} was saved on a machine of another byte order.", hint=_AGAIN)
    version = content("archive_version", 16).decode() if "archive_version" in names else "0"
    tables = []
    for folder, prefix in (("weights", "weight_"), ("constants", "tensor_")):
        config = parse_json(content(f"data/{folder}/model_{folder}_config.json"), f"{path.name}, {folder}")
        within = {name: sizes[f"{root}/{name}"] for name in names if name.startswith(f"data/{folder}/{prefix}")}
        tables.append({name: _payload(folder, name, entry, within) for name, entry in config["config"].items()})
    return Archive(path, root, version, parse_json(content(_PROGRAM), f"{path.name}, {_PROGRAM}"), *tables)


def _sizes(path: Path, file: zipfile.ZipFile) -> dict[str, int]:
    """Member -> bytes. Members may not overlap: then all of them together are no larger than the file."""
    entries = file.infolist()
    if len(entries) > _MOST_MEMBERS or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise ValueError("members that are larger together than the file")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
            raise ValueError(f"the compressed member {entry.filename!r}, which torch never writes")
    sizes = {entry.filename: entry.file_size for entry in entries}
    if len(sizes) != len(entries):
        raise ValueError("two members of the same name")
    return sizes


def _root(path: Path, sizes: Mapping[str, int]) -> str:
    roots = {name.partition("/")[0] for name in sizes}
    if "serialized_exported_program.json" in sizes:
        raise BadInput(f"{path.name} is of an older form (torch 2.7), whose weights are a pickle.", hint=_AGAIN)
    if len(roots) != 1 or f"{(root := roots.pop())}/archive_format" not in sizes:
        raise BadInput(f"{path.name} is a zip, but not a .pt2 of torch.export.", hint=_AGAIN)
    return root


def _payload(folder: str, name: str, entry: Mapping[str, Any], within: Mapping[str, int]) -> Payload:
    """A checked payload. Raises ValueError for a pickle, a foreign member, and sizes beyond its bytes."""
    if entry["use_pickle"] is not False or entry["tensor_meta"] is None:
        raise ValueError(f"the pickle of {name!r}: a pickle can run any code, so it is never opened")
    member = f"data/{folder}/{entry['path_name']}"
    if member not in within:
        raise ValueError(f"{entry['path_name']!r} for {name!r}, a member that is not there")
    meta = entry["tensor_meta"]
    sizes, strides = (tuple(_whole(item["as_int"]) for item in meta[key]) for key in ("sizes", "strides"))
    dtype, offset = meta["dtype"], _whole(meta["storage_offset"]["as_int"])
    if dtype not in DTYPES or meta["layout"] != 7 or len(sizes) != len(strides) or len(sizes) > 16:
        raise ValueError(f"{name!r} in a form that is not supported (dtype {dtype}, layout {meta['layout']})")
    payload = Payload(member, dtype, sizes, strides, offset, bool(entry["is_param"]))
    elements = within[member] // DTYPES[dtype][1]
    last = (
        offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if payload.elements
        else -1
    )
    if last >= elements or payload.elements > elements or (payload.elements and not elements):
        raise ValueError(f"{name!r} with more numbers than its {within[member]} bytes")
    return payload


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**48:
        raise ValueError(f"{value!r} for a size")
    return value
