"""The emulator: runs a program with a time limit. Right answers and exact instruction counts, never milliseconds."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceFailed, MissingExtra
from edgekit.targets.microcontroller.emulator.toolchain import INSTALL, Machine
from edgekit.targets.microcontroller.firmware import SOURCES

#: What the firmware's fault handler ends with (firmware/startup_*.c).
_FAULT = 99

#: Lines of output that are read; a firmware that has gone mad can write gigabytes.
_MOST_OUTPUT = 64_000_000


@dataclass(frozen=True)
class Result:
    """What a program did: the lines that it wrote, and its exit code."""

    lines: tuple[str, ...]
    code: int


def emulator_of(machine: Machine) -> list[str]:
    """The command that runs a program, which is to be appended. The same command as in the CMake project.

    Raises:
        MissingExtra: the emulator is not installed; the hint has the command that installs it.
    """
    command = shlex.split((SOURCES / "boards" / f"{machine.board}.qemu").read_text(encoding="utf-8"))
    program = shutil.which(command[0])
    if not program:
        raise MissingExtra(f"running firmware for {machine.processor} needs {command[0]}; it is absent.", hint=INSTALL)
    return [program, *command[1:]]


def run(program: Path, machine: Machine, timeout: float = 120) -> Result:
    """Run `program` in the emulator of `machine`, or on this computer if it is for that.

    Args:
        timeout: seconds after which it is killed.

    Raises:
        MissingExtra: no emulator. DeviceFailed: it hung, the emulator failed, or the firmware crashed.
    """
    command = [str(program)] if not machine.board else [*emulator_of(machine), str(program)]
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise DeviceFailed(
                f"{program.stem} did not come to an end within {timeout:g} s in {name}, and was stopped. "
                f"The last that it wrote: {_last(_read(output)) or 'nothing'}",
                hint="A large model on a busy machine may take longer; else this is a defect of the firmware.",
            ) from exc
        except OSError as exc:
            raise DeviceFailed(f"{command[0]} could not be started: {exc.strerror}.", hint=INSTALL) from exc
        text, complaint = _read(output), _read(complaints)
    if "Lockup:" in complaint:  # a fault inside of the fault handler
        raise DeviceFailed(f"{program.stem} crashed on {machine.board}: {complaint.splitlines()[0]}")
    if done.returncode == _FAULT:
        raise DeviceFailed(f"{program.stem} crashed on {machine.board or 'this computer'}: {_last(text)}")
    if done.returncode not in (0, 1, 2, 3) or (complaint and not text):
        reason = _last(complaint) or _last(text) or "no output"
        raise DeviceFailed(f"{name} failed on {program.stem} with exit code {done.returncode}: {reason}")
    return Result(tuple(text.splitlines()), done.returncode)


def _read(file: object) -> str:
    assert hasattr(file, "seek") and hasattr(file, "read")
    file.seek(0)
    content: bytes = file.read(_MOST_OUTPUT)
    return content.decode("utf-8", errors="replace")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
