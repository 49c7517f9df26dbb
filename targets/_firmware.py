"""A bundle for a microcontroller: the CMake project `firmware/` beside the model's C in `src/`."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.errors import BadInput, UnknownName, boundary
from edgekit.targets._archive import write_zip
from edgekit.targets._golden_c import (
    VECTORS,
    sound_of,
    vectors_of,
    write_golden,
    write_golden_audio,
)

#: The project as it is delivered, package data.
SOURCES = Path(__file__).parent / "firmware"

#: Golden data that a bundle carries as C text, of which a byte takes four.
_GOLDEN_BYTES = 2_000_000

#: What the programs take from the model's C.
_NETWORK = "network.h"


def pack(bundle: Path, processor: str) -> None:
    """Put the folder `firmware` into a bundle that has the model's C in `src` and its golden data in `golden`.

    Raises:
        BadInput: there is no network in `src`, or golden data that cannot be. UnknownName: no flags for `processor`.
    """
    if not (bundle / "src" / _NETWORK).is_file():
        raise BadInput(f"{bundle} has no src/{_NETWORK}, so there is nothing to build firmware around.")
    if processor not in processors():
        raise UnknownName.of("processor", processor, processors())
    folder = bundle / "firmware"
    with boundary():
        shutil.copytree(SOURCES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        (folder / "processor.cmake").write_text(f"set(EDGEKIT_DEFAULT_CPU {processor})\n", encoding="utf-8")
        _golden(bundle, folder)


def project(bundle: Path, out: Path) -> None:
    """Write the CMake project and the model's C, with the licences, as a .zip.

    Raises:
        BadInput: not a firmware bundle.
    """
    firmware = firmware_of(bundle)
    folders = (firmware, bundle / "src", bundle / "licences")
    with boundary():
        files = {
            f"{bundle.resolve().name}/{file.relative_to(bundle).as_posix()}": file.read_bytes()
            for folder in folders
            for file in folder.rglob("*")
            if file.is_file()
        }
    write_zip(files, out)


def _golden(bundle: Path, folder: Path) -> None:
    """Golden data of the bundle as C in `folder`: what there is of vectors, sound and features."""
    vectors = vectors_of(bundle)
    if vectors:
        write_golden(folder, vectors, _GOLDEN_BYTES)
    sound = sound_of(bundle) if (bundle / "src" / "frontend.h").is_file() else None
    if sound:
        write_golden_audio(folder, *sound)


def processors() -> list[str]:
    """What firmware can be built for, besides this computer."""
    return sorted(file.stem for file in (SOURCES / "processors").glob("*.flags"))


def firmware_of(bundle: Path) -> Path:
    """The folder `firmware` of `bundle`, whole enough to build.

    Raises:
        BadInput: there is none, or it has no golden vectors.
    """
    folder = bundle / "firmware"
    for file in (bundle / "src" / _NETWORK, folder / "self_test.c", folder / VECTORS):
        if not file.is_file():
            raise BadInput(
                f"{bundle} has no {file.relative_to(bundle)}; it is not a firmware bundle, or not a whole one.",
                hint="Export the model again for a microcontroller, such as --target cortex-m4.",
            )
    return folder
