"""A bundle for a microcontroller: the CMake project `firmware/` beside the model's C in `src/`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from edgekit.errors import BadInput, UnknownName, boundary
from edgekit.targets.microcontroller.archive import write_zip
from edgekit.targets.microcontroller.golden_headers import (
    VECTORS,
    sound_of,
    vectors_of,
    write_golden,
    write_golden_audio,
)

#: The project as it is delivered, package data.
SOURCES = Path(__file__).parent / "project"

#: Golden data that a bundle carries as C text, of which a byte takes four.
_GOLDEN_BYTES = 2_000_000

#: What the programs take from the model's C.
_NETWORK = "network.h"

#: Says the processor that CMake builds for.
_PROCESSOR = "processor.cmake"

_HINT = (
    "Export it again with this edgekit; or build the firmware yourself with its CMakeLists.txt if you trust where it "
    "came from."
)


def pack(bundle: Path, processor: str) -> None:
    """Put the folder `firmware` into a bundle that has the model's C in `src` and its golden data in `golden`.

    Raises:
        BadInput: there is no network in `src`, or golden data that cannot be. UnknownName: no flags for `processor`.
    """
    if not (bundle / "src" / _NETWORK).is_file():
        raise BadInput(f"{bundle} has no src/{_NETWORK}, so there is nothing to build firmware around.")
    if processor not in processors():
        raise UnknownName.of("processor", processor, processors())
    with boundary():
        _lay_out(bundle, processor, bundle / "firmware")


def _lay_out(bundle: Path, processor: str, folder: Path) -> None:
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (folder / _PROCESSOR).write_bytes(f"set(EDGEKIT_DEFAULT_CPU {processor})\n".encode())
    _golden(bundle, folder)


def own_firmware(bundle: Path, folder: Path) -> Path:
    """The firmware of `bundle` once more, from this package and the golden data, in the new folder `folder`.

    It is what is compiled here; what lies in the bundle must be the same, so that what was proven is what is shipped.

    Returns:
        `folder`.

    Raises:
        BadInput: not a firmware bundle, or a file of its firmware differs, is missing or additional.
    """
    firmware = firmware_of(bundle)
    with boundary():
        if any(file.is_symlink() for file in (firmware, *firmware.rglob("*"))):
            raise _refusal(bundle, "firmware", "holds a link, which may point anywhere")
        _lay_out(bundle, _processor_of(firmware), folder)
        present, wanted = (
            {file.relative_to(root).as_posix(): file for file in root.rglob("*") if not file.is_dir()}
            for root in (firmware, folder)
        )
        for name in sorted({*present, *wanted}):
            if name not in present:
                raise BadInput(f"{bundle.name} lacks firmware/{name}, which this edgekit writes.", hint=_HINT)
            if name not in wanted or not _same(present[name], wanted[name]):
                raise _refusal(bundle, f"firmware/{name}", "is not what this edgekit writes")
    return folder


def _processor_of(firmware: Path) -> str:
    """The processor that `firmware` was laid out for; the first processor where that is not known."""
    file = firmware / _PROCESSOR
    text = file.read_bytes()[:200] if file.is_file() else b""
    return next((name for name in processors() if name.encode() in re.split(rb"[ )]", text)), processors()[0])


def _same(a: Path, b: Path) -> bool:
    return a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()


def _refusal(bundle: Path, what: str, why: str) -> BadInput:
    return BadInput(f"{what} of {bundle.name} {why}; compiling somebody else's code would run it.", hint=_HINT)


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
                f"{bundle} has no {file.relative_to(bundle)}; it is not a firmware bundle, or not whole.",
                hint="Export the model again for a microcontroller, such as --target cortex-m4.",
            )
    return folder
