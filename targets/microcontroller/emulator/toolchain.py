"""Compilers for the chips and for this computer, called directly with the flags that the CMake project has too."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceFailed, MissingExtra
from edgekit.targets.microcontroller.firmware import SOURCES, own_firmware

#: How lines of compilers and linkers look that say what is wrong.
_ERRORS = ("error:", "undefined reference", "overflowed", "will not fit", "cannot find", "are left for the stack")

#: A compiler that takes longer than this has lost itself.
_SECONDS = 600

INSTALL = "Install the compilers and emulators with: make firmware-tools (Debian, Ubuntu), or put them on the PATH."


@dataclass(frozen=True)
class Machine:
    """Where a program runs: a processor, and a board with its memory, its clock and its emulator.

    Attributes:
        processor: stem of a file in firmware/processors; "host" is this computer.
        board: stem of the files in firmware/boards, "" for this computer.
    """

    processor: str
    board: str = ""

    @property
    def compilers(self) -> tuple[str, ...]:
        """Programs that can compile for it, the first that is there is taken."""
        if self.processor == "host":
            return ("cc", "gcc", "clang")
        return ("riscv64-unknown-elf-gcc",) if self.processor == "riscv32" else ("arm-none-eabi-gcc",)

    @property
    def flags(self) -> list[str]:
        """From this package, never from a bundle: flags can make a compiler run other programs."""
        flags = [f"@{SOURCES / 'programs.flags'}"]
        if self.processor == "host":
            return [*flags, "-DEK_HOST", "-O2"]
        boards = SOURCES / "boards"
        return [f"@{SOURCES / 'processors' / self.processor}.flags", f"@{boards / self.board}.flags", *flags]

    @property
    def link_flags(self) -> list[str]:
        if self.processor == "host":
            return []
        return ["-nostartfiles", f"-L{SOURCES / 'boards'}", f"-T{self.board}.ld", "-Wl,--gc-sections"]

    @property
    def support(self) -> list[str]:
        """Files that every program needs."""
        if self.processor == "host":
            return ["host.c", "print.c", "clock.c", "stack.c"]
        startup = "startup_riscv32.c" if self.processor == "riscv32" else "startup_cortex_m.c"
        return [startup, "semihost.c", "print.c", "clock.c", "stack.c"]


HOST = Machine("host")

#: The processors that targets are of, each with the board that the emulator has for it.
MACHINES = {
    "cortex-m3": Machine("cortex-m3", "mps2-an385"),
    "cortex-m4": Machine("cortex-m4", "mps2-an386"),
    "cortex-m7": Machine("cortex-m7", "mps2-an500"),
    "cortex-m55": Machine("cortex-m55", "mps3-an547"),
    "riscv32": Machine("riscv32", "virt"),
}

#: Program -> its files, besides `Machine.support` and the model's.
PROGRAMS = {
    "self_test": ("self_test.c", "tensors.c", "frontend_test.c"),
    "trace": ("self_test.c", "tensors.c", "frontend_test.c", "trace.c"),
    "bench": ("bench.c", "tensors.c", "frontend_bench.c"),
    "footprint": ("footprint.c",),
    "footprint_sound": ("footprint_sound.c",),
    "example_sound": ("example_sound.c", "audio_golden.c"),
    "example_network": ("example_network.c", "tensors.c"),
}


def compiler_of(machine: Machine) -> str:
    """Path of the compiler.

    Raises:
        MissingExtra: no compiler is installed; the hint has the command that installs it.
    """
    for name in machine.compilers:
        if path := shutil.which(name):
            return path
    if machine == HOST:
        raise MissingExtra("this computer has no C compiler (cc, gcc or clang).", hint="Install gcc or clang.")
    raise MissingExtra(f"building for {machine.processor} needs {machine.compilers[0]}; it is absent.", hint=INSTALL)


def build(
    bundle: Path,
    machine: Machine,
    program: str,
    work: Path,
    defines: Sequence[str] = (),
    golden: Path | None = None,
) -> Path:
    """Compile a program of the bundle's firmware; returns the executable, in the folder `work`.

    The firmware's own code comes from this package, golden data from the bundle's arrays, and the model's C from the
    bundle as it is: whoever calls this has seen that it is the exporter's.

    Objects stay in `work`, one set for each set of `defines`, and are taken again for the next program: `work` must
    belong to a single state of a single bundle and to a single machine.

    Args:
        program: a name of `PROGRAMS`. defines: such as ``"EK_PROFILE"``.
        golden: a folder whose golden headers are taken instead of the bundle's.

    Raises:
        MissingExtra: no compiler. BadInput: not a firmware bundle, or its firmware is not this package's. DeviceFailed:
        the compiler failed, with its first error line.
    """
    compiler = compiler_of(machine)
    bundle, firmware = bundle.resolve(), work.resolve() / "firmware"
    if not firmware.is_dir():
        own_firmware(bundle, firmware)
    flags = [*machine.flags, *(f"-D{define}" for define in defines)]
    includes = [f"-I{folder}" for folder in (golden and golden.resolve(), firmware, bundle / "src") if folder]
    kept = work.resolve() / "-".join(["objects", *defines]).replace("=", "_")
    model = sorted((bundle / "src").glob("*.c"))
    library = _objects(compiler, flags, includes, [*model, *(firmware / name for name in machine.support)], kept)
    own = _objects(compiler, flags, includes, [firmware / name for name in PROGRAMS[program]], kept / program)
    executable = kept / program / f"{program}.elf"
    _call([compiler, *flags, *own, *library, *machine.link_flags, "-lm", "-o", str(executable)], kept)
    return executable


def _objects(compiler: str, flags: list[str], includes: list[str], sources: list[Path], folder: Path) -> list[str]:
    """The object files of `sources`; those that are in `folder` already are taken as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {source: folder / f"{source.stem}.o" for source in sources}
    missing = [str(source) for source, file in made.items() if not file.is_file()]
    if missing:
        _call([compiler, *flags, *includes, "-c", *missing], folder)
    return [str(file) for file in made.values()]


def _call(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except subprocess.TimeoutExpired as exc:
        raise DeviceFailed(f"{Path(command[0]).name} did not come to an end within {_SECONDS} s.") from exc
    except OSError as exc:
        raise DeviceFailed(f"{command[0]} could not be started: {exc.strerror}.", hint=INSTALL) from exc
    if done.returncode and any(part in done.stderr for part in ("'picolibc.specs'", "string.h: No such file")):
        raise MissingExtra(f"{Path(command[0]).name} has no C library beside it.", hint=INSTALL)
    if done.returncode:
        raise DeviceFailed(
            f"{Path(command[0]).name} failed: {_first_error(done.stderr) or f'exit code {done.returncode}'}",
            hint="To see all of it: cmake -S firmware -B build && cmake --build build, in the bundle.",
        )


def _first_error(text: str) -> str:
    """The first line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        # What the linker says begins with its own path; what collect2 says is only that the linker failed.
        said = line.partition("/ld: ")[2] or line
        if any(mark in said for mark in _ERRORS) and not said.startswith("collect2:"):
            return said
    return lines[0] if lines else ""
