"""The files of a Hugging Face model: a folder's, or an address's, of which only the small ones are fetched."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundles import manifest
from edgekit.common.documents import parse_json, read_json
from edgekit.core import Progress, Source
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import fetch, user_source
from edgekit.sources.transports.hf import beginning_of

SCHEME = "hf://"
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
#: Most bytes of a config file, and of the header of a safetensors file (the library's own limit).
_MOST, _MOST_HEADER = 64 << 20, 100_000_000


@dataclass(frozen=True)
class Repository:
    """A model's small files on this machine, and where its weights are.

    Attributes:
        source: the user's text. address: of its weights, for `edgekit.core.Weights.hub`.
        folder: holds the small files. config: of config.json.
        weights: file name -> the piece of a source (``hf://…``), or a path, of each safetensors file.
        licence: SPDX identifier or the author's word; "" if none is stated.
    """

    source: str
    address: str
    folder: Path
    config: Mapping[str, Any]
    weights: Mapping[str, str]
    licence: str

    def json(self, name: str) -> Any:
        """The content of a JSON file; None if there is no such file. Raises BadInput for another content."""
        path = self.folder / name
        if not path.is_file():
            return None
        return read_json(path)

    @property
    def licence_text(self) -> str:
        """The path of its file LICENSE, "" if it has none."""
        return str(self.folder / "LICENSE") if self.has("LICENSE") else ""

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def parameters(self) -> int | None:
        """The number of weights, from the headers of the safetensors files; None if they cannot be read from afar."""
        total = 0
        try:
            for name, where in self.weights.items():
                header = read_header(name, where)
                entries = [entry for key, entry in header.items() if key != "__metadata__"]
                # Whole numbers are no weights (numbers of positions, that older versions stored).
                total += sum(math.prod(entry["shape"]) for entry in entries if str(entry["dtype"])[:1] in "FB")
        except FetchFailed:
            return None
        except (KeyError, TypeError, ValueError) as exc:
            raise BadInput(f"{self.source} has a damaged safetensors file: {exc}.") from exc
        return total

    def digest(self) -> str:
        """Hash of the small files that decide the graph."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*.json")):
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0".encode() + path.read_bytes())
        return digest.hexdigest()


def open_repository(source: str, offline: bool, progress: Progress, *, settings: bool = False) -> Repository:
    """The model at `source`. `settings`: of an address, config.json is all that is fetched.

    Raises:
        BadInput: it has no config.json, or its weights are pickles, or there are none. FetchFailed: it cannot be
        reached, or is gated.
    """
    if source.startswith(SCHEME):
        return _remote(source, offline, progress, settings)
    folder = Path(source).expanduser()
    names = {path.name for path in folder.iterdir() if path.is_file()}
    config = _config(folder, source)
    weights = {name: str(folder / name) for name in _safetensors(names, source)}
    return Repository(source, str(folder.resolve()), folder, config, weights, _licence(folder))


def whole(repository: Repository, offline: bool, progress: Progress) -> Path:
    """The folder with all its files, weights and code too, fetched if it is an address. Raises FetchFailed."""
    source = user_source(repository.address, offline=offline)
    return source if isinstance(source, Path) else fetch([source], offline=offline, progress=progress)[0]


def _remote(source: str, offline: bool, progress: Progress, settings: bool) -> Repository:
    listed = user_source(source, offline=offline)
    assert isinstance(listed, Source)
    names = [file.name for file in listed.files]
    chosen = _safetensors(set(names), source)
    if "config.json" not in names:
        raise _no_config(source)
    wanted = {"config.json"} if settings else set(names) - set(chosen)
    small = replace(listed, files=tuple(file for file in listed.files if file.name in wanted))
    folder, _ = fetch([small], offline=offline, progress=progress)
    weights = {file.name: file.pieces[0] for file in listed.files if file.name in chosen}
    licence = "" if listed.licence == "unknown" else listed.licence
    return Repository(source, source, folder, _config(folder, source), weights, licence or _licence(folder))


def _no_config(source: str) -> BadInput:
    if (Path(source) / manifest.NAME).is_file():
        return BadInput(
            f"{source} is a bundle, which edgekit has made, and no model to make one of.",
            hint=f"Its README.md describes it. To check it: edgekit verify {source}",
        )
    return BadInput(
        f"{source} is not a Hugging Face model: it has no config.json.",
        hint="A network in a file of Python comes in as it is: edgekit export net.py:build",
    )


def _config(folder: Path, source: str) -> Mapping[str, Any]:
    if not (folder / "config.json").is_file():
        raise _no_config(source)
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise BadInput(f"config.json of {source} is not a table of settings.")
    return config


def _safetensors(names: set[str], source: str) -> list[str]:
    """The weight files to read. Raises BadInput if there are only pickles, or none."""
    if "model.safetensors" in names:
        return ["model.safetensors"]
    if _INDEX in names:
        return sorted(name for name in names if re.fullmatch(r"model-\d{5}-of-\d{5}\.safetensors", name))
    pickles = sorted(name for name in names if name.endswith(_PICKLES))
    if pickles:
        raise BadInput(
            f"{source} has its weights as {pickles[0]} only, which can run code when they are opened.",
            hint="Where they are trusted, MODEL.save_pretrained(FOLDER) in transformers writes model.safetensors.",
        )
    raise BadInput(f"{source} has no weights: neither model.safetensors nor {_INDEX}.")


def read_header(name: str, where: str) -> Mapping[str, Any]:
    """The header of a safetensors file at a path or an ``hf://`` piece.

    Raises:
        BadInput: it has none. FetchFailed: it cannot be reached.
    """
    size = int.from_bytes(_begin(where, 8), "little")
    if not 2 <= size <= _MOST_HEADER:
        raise BadInput(f"{name} is not a sound safetensors file: its header cannot have {size} bytes.")
    header = parse_json(_begin(where, 8 + size)[8:], f"the header of {name}")
    if not isinstance(header, dict):
        raise BadInput(f"{name} is not a sound safetensors file: its header is not a table.")
    return header


def _begin(where: str, size: int) -> bytes:
    """The first `size` bytes of a file."""
    if where.startswith(SCHEME):
        return beginning_of(where, size)
    with Path(where).open("rb") as file:
        return file.read(size)


def _licence(folder: Path) -> str:
    """The licence that the front matter of README.md states, else "LICENSE" where such a file lies there, else ""."""
    readme = folder / "README.md"
    if readme.is_file() and readme.stat().st_size < _MOST:
        head = readme.read_text("utf-8", "replace").partition("---\n")[2].partition("\n---")[0]
        if match := re.search(r"^license:\s*[\"']?([\w.+-]+)[\"']?\s*$", head, re.MULTILINE):
            return match[1]
    return "see LICENSE" if (folder / "LICENSE").is_file() else ""
