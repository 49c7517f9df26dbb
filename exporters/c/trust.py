"""Whose C is compiled: only what this installation of edgekit generates itself, of a network that is data.

To compile a bundle's C and call it is to run a program, and whoever made the bundle also made its manifest and the
hashes in it. So the C in ``src/`` is not believed: it is generated again from the .tflite beside it (and from what the
installed model says of its frontend), and must be the same, byte by byte and file by file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Model, Part
from edgekit.errors import BadInput, boundary
from edgekit.exporters.c import description

__all__ = ["check", "checked", "ours"]

#: Digests of the folders that this process wrote or checked. Of a whole folder: files that are each fine may not fit
#: together.
_KNOWN: set[bytes] = set()

#: What ``src/`` may hold at most; a network of a microcontroller has a few hundred kilobytes.
_MOST = 256 * 2**20

#: A part's name becomes that of functions.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")

_HINT = (
    "Export it again with this edgekit; or build the firmware yourself with its CMakeLists.txt if you trust where it "
    "came from."
)


def ours(folder: Path) -> None:
    """Remember what lies in `folder` as written by this process: an export, which compiles it next."""
    _KNOWN.add(_digest(_read(folder)))


def check(model: Model, folder: Path) -> None:
    """See that `folder`, the ``src`` of a bundle, holds what this edgekit generates for `model`, and nothing else.

    Raises:
        BadInput: a file differs, is missing or additional.
    """
    files = _read(folder)
    if _digest(files) not in _KNOWN:
        _compare(files, model.network.parts, folder)


def checked(folder: Path) -> dict[str, bytes]:
    """The files of `folder`, name -> content, each known to be what this edgekit generates.

    Without the model a network's C can be checked and a frontend's cannot: its numbers come from the model, so such a
    folder must have passed `check`, or be this process's own.

    Raises:
        BadInput: as `check`.
    """
    files = _read(folder)
    if _digest(files) not in _KNOWN:
        _compare(files, _described(files, folder), folder)
    return files


def _read(folder: Path) -> dict[str, bytes]:
    with boundary():
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in paths:
            if path.is_symlink() or not path.is_file():
                raise _refusal(folder, path.name, "is not a plain file")
        if sum(path.stat().st_size for path in paths) > _MOST:
            raise BadInput(f"{_place(folder)} holds more than {_MOST:,} bytes; it is not of a microcontroller's model.")
        return {path.name: path.read_bytes() for path in paths}


def _digest(files: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(hashlib.sha256(name.encode(errors="surrogateescape")).digest() + hashlib.sha256(content).digest())
    return digest.digest()


def _described(files: Mapping[str, bytes], folder: Path) -> list[Part]:
    """The parts that `files` say they are, all of them networks."""
    parts = []
    for name in (file.removesuffix(".json") for file in files if file.endswith(".json")):
        facts = description.description_of(files, name)
        if facts["kind"] != "network" or not _NAME.fullmatch(name):
            raise BadInput(
                f"the C of the part {name!r} in {_place(folder)} cannot be checked without the model that it belongs "
                "to.",
                hint="Open the whole bundle: edgekit.load(BUNDLE).",
            )
        inputs, outputs = (description.tensor_specs(facts[side]) for side in ("inputs", "outputs"))
        parts.append(Part(name, inputs, outputs, {}, None))
    return parts


def _compare(files: Mapping[str, bytes], parts: Sequence[Part], folder: Path) -> None:
    expected: dict[str, bytes] = {}
    for part in parts:
        expected |= _generated(part, files, folder)
    for name in sorted({*files, *expected}):
        if name not in expected:
            raise _refusal(folder, name, "is none of the files that this edgekit generates from the bundle's network")
        if name not in files:
            raise BadInput(f"{_place(folder)} lacks {name}, which this edgekit generates with the rest.", hint=_HINT)
        if files[name] != expected[name]:
            raise _refusal(folder, name, "is not what this edgekit generates from the bundle's network")
    _KNOWN.add(_digest(files))


def _generated(part: Part, files: Mapping[str, bytes], folder: Path) -> dict[str, bytes]:
    """What an export writes for `part`, by the same functions."""
    from edgekit.exporters.c import generate  # which compiles, by way of this module

    if part.kind != "network":
        return generate.frontend_files(part)
    content = files.get(f"{part.name}.tflite")
    if content is None:
        raise BadInput(
            f"{_place(folder)} lacks {part.name}.tflite, the network that its C was generated from, so the C cannot be "
            "checked; compiling somebody else's code would run it.",
            hint=_HINT,
        )
    facts: Mapping[str, Any] = description.description_of(files, part.name)
    program, plan = generate.lowered(part, content, str(facts.get("layout", "")))
    return generate.network_files(part, content, program, plan)[0]


def _refusal(folder: Path, name: str, why: str) -> BadInput:
    return BadInput(f"{_place(folder)}/{name} {why}; compiling somebody else's code would run it.", hint=_HINT)


def _place(folder: Path) -> str:
    """``BUNDLE/src``."""
    folder = folder.absolute()
    return f"{folder.parent.name}/{folder.name}"
