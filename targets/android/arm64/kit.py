"""What a 64-bit Arm takes to run a part: the runtime's library from its own wheel, a program; an emulator, or a phone.

``python -m edgekit.targets.android.arm64.kit`` gets and builds onnxruntime's and LiteRT's once; afterwards it looks
whether they are there. llama.cpp is built by `edgekit.targets.android.arm64.gguf`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgekit.common.files import cache_folder, make_once
from edgekit.core import Progress, Source
from edgekit.errors import DeviceFailed, FetchFailed, MissingExtra
from edgekit.sources import fetch

INSTALL = "In a checkout of edgekit: make phone-tools (Debian, Ubuntu)."

_SYSROOT = Path("/usr/aarch64-linux-gnu")
#: What loads programs of Debian's C library, and what edgekit's program and the runtime are linked with.
LOADER = "ld-linux-aarch64.so.1"
_LIBRARIES = (
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libstdc++.so.6",
    "libgcc_s.so.1",
)
_COMPILER, _EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
#: onnxruntime's.
HEADERS = Path("/usr/include/onnxruntime")
#: The programs for phones, as source.
SOURCES = Path(__file__).parent.parent / "replay"
_FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", f"-isystem{HEADERS}")
_SECONDS = 600


class Tools(NamedTuple):
    """Paths of the emulator, the program for Arm, and the runtime's library for Arm."""

    emulator: Path
    program: Path
    library: Path

    def command(self, processor: str) -> list[str]:
        """What runs the program; the model, threads, calls and answers are to be appended."""
        return [str(self.emulator), "-L", str(_SYSROOT), "-cpu", processor, str(self.program), str(self.library)]


def emulator(also: Mapping[str, bool] | None = None) -> Path:
    """The emulator. `also`: what else is needed -> whether it is there.

    Raises:
        MissingExtra: it, the compiler or something of `also` is absent.
    """
    _need("emulating a phone's processor", _COMPILER, _EMULATOR, also=also)
    return Path(str(shutil.which(_EMULATOR)))


def compiler(also: Mapping[str, bool] | None = None) -> None:
    """Raises MissingExtra where the compiler, or something of `also` (see `emulator`), is absent."""
    _need("measuring on a phone", _COMPILER, also=also)


class Kit(NamedTuple):
    """What a Linux program takes on a device that has no C library of its own kind.

    Attributes:
        files: by the names that they have there: the loader, libraries, the runtime, and the program ``replay``.
        library: what the program has to open, relative to the folder with these files: a file, or "." for all.
    """

    files: Mapping[str, Path]
    library: str


def build_kit(program: Path, runtime: Mapping[str, Path], library: str) -> Kit:
    """The kit of a program and the libraries of its runtime. Raises MissingExtra where there is no C library for it."""
    folder = _SYSROOT / "lib"
    libraries = {name: (folder / name).resolve() for name in (LOADER, *_LIBRARIES)}
    if absent := [name for name, file in libraries.items() if not file.is_file()]:
        raise MissingExtra(f"measuring on a phone needs {', '.join(absent)} for 64-bit Arm.", hint=INSTALL)
    return Kit({**libraries, **runtime, "replay": program}, library)


def _need(what: str, *programs: str, also: Mapping[str, bool] | None = None) -> None:
    named = {name: shutil.which(name) is not None for name in programs} | dict(also or {})
    if absent := ", ".join(name for name, there in named.items() if not there):
        raise MissingExtra(f"{what} needs {absent}.", hint=INSTALL)


def fetch_library(library: Source, name: str, progress: Progress | None = None) -> Path:
    """The runtime's library for Arm. Raises MissingExtra where it is neither here nor can be fetched."""
    try:
        folder, _ = fetch([library], progress=progress)
    except FetchFailed as exc:
        raise MissingExtra(f"{name} for 64-bit Arm is not here: {exc.message}", hint=INSTALL) from exc
    return folder / library.files[0].name


def compile_program(name: str) -> Path:
    """The program `name` of `SOURCES` for Arm, in the cache under the hash of its source and flags.

    Raises:
        DeviceFailed: the compiler failed.
    """
    version = subprocess.run([_COMPILER, "--version"], capture_output=True, text=True, check=False).stdout
    source = SOURCES / f"{name}.cpp"
    read = [file.read_bytes() for file in (source, *sorted(SOURCES.glob("*.h")))]
    key = hashlib.sha256(b"\0".join([*read, repr(_FLAGS).encode(), version.encode()])).hexdigest()[:16]
    place = cache_folder() / "phone" / f"{name}-{key}"

    def make(fresh: Path) -> None:
        command = [_COMPILER, *_FLAGS, str(source), "-o", str(fresh), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
        if done.returncode:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), f"exit {done.returncode}")
            raise DeviceFailed(f"the program for phones could not be compiled: {reason}", hint=INSTALL)

    return make_once(place, make)
