"""Vela in a process of its own, and what its files say: which operators it took, in how many cycles and bytes.

Vela's own summary counts the operators of its last subgraph, and operators of its own making: shares are counted in the
file that it writes, whose operators ``ethos-u`` are what the unit runs.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edgekit.common.figures import figure
from edgekit.core import Artifact, Placement, share_of
from edgekit.errors import BadInput, ExportFailed
from edgekit.formats import tflite

_SECONDS = 300
#: What Vela writes is about as large as what it reads: so many times, and so many bytes of commands besides.
_GROWN, _COMMANDS = 4, 4 << 20
_UNIT = "CUSTOM:ethos-u"
#: Family -> the system that Vela estimates for, by its name in Arm/vela.ini: weights in flash, all else in SRAM that
#: the processor shares.
_SYSTEMS = {
    "u55": "Ethos_U55_High_End_Embedded",
    "u65": "Ethos_U65_Embedded",
    "u85": "Ethos_U85_SYS_Flash_High",
}
_LEFT = re.compile(r"operator: (\w+), ofm: '([^']*)'\s+Reason: ([^\n]{1,200})")
#: Multiplications in an instruction of a Cortex-M55 with Helium, at best: 2.66 M of ds-cnn-kws in 0.86 M, counted in
#: QEMU; okay-nabu, of 36 k, has 0.28. Where the unit needs fewer cycles than the processor then needs instructions, it
#: is the faster one for sure.
_RATE = 3.1


@dataclass(frozen=True)
class Compiled:
    """What Vela made of a file.

    Attributes:
        content: the .tflite for the unit's driver. cycles: of a call, Vela's estimate, at `clock` (Hz).
        sram, flash: bytes that the unit's operators take. reasons: output of an operator -> why Vela leaves it.
    """

    content: bytes
    cycles: float
    clock: float
    sram: float
    flash: float
    reasons: Mapping[str, str]


def place_part(artifact: Artifact, folder: Path, unit: str) -> Artifact:
    """See `edgekit.runtimes.ethos_u.EthosU.lower`.

    Args:
        unit: ``"Ethos-U55-128"``: the family, and its multiplications in a cycle.
    """
    source = (folder / artifact.file).with_suffix(".tflite")
    if not source.is_file():
        return artifact
    made = compile_file(source, unit)
    before, after = (_main(content, source.name) for content in (source.read_bytes(), made.content))
    kept = [operator for operator in after.operators if operator.name != _UNIT]
    whole, rest = tflite.sum_work(before, before.operators), tflite.sum_work(after, kept)
    flash, ram = (artifact.census.get(name) for name in ("weights", "arena"))
    beside = f"; the processor alone: {figure(ram, 'B')} and {figure(flash, 'B')}" if flash and ram else ""
    instructions = whole.multiplications / _RATE
    off, cycles = made.cycles > instructions, f"{round(made.cycles, -2):,.0f}"
    place = folder / "ethos-u" / source.name
    if not off:
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(made.content)
    placement = Placement(
        unit=unit,
        by=f"ethos-u-vela {version('ethos-u-vela')}",
        fidelity="estimated",
        multiplications=share_of(whole.multiplications - rest.multiplications, whole.multiplications),
        weights=share_of(whole.weights - rest.weights, whole.weights),
        pieces=len(after.operators) - len(kept),
        left=_why_left(after, kept, made.reasons),
        files=() if off else (place.relative_to(folder).as_posix(),),
        cost=f"about {cycles} cycles at {made.clock / 1e6:g} MHz (Vela's estimate), "
        f"{figure(made.sram, 'B')} of SRAM and {figure(made.flash, 'B')} of flash{beside}",
        verdict="leave it off" if off else "on the unit",
        why=f"about {cycles} cycles by Vela's estimate, {'not fewer' if off else 'fewer'} than the "
        f"{round(instructions, -2):,.0f} instructions that a Cortex-M55 takes at its best for "
        f"{whole.multiplications:,} multiplications{' (edgekit bench counts its own)' if off else ''}",
    )
    return placement.note_in(artifact)


def compile_file(source: Path, unit: str) -> Compiled:
    """A .tflite in integers, compiled. Raises ExportFailed: Vela refuses it, takes too long, or writes nonsense."""
    configuration = unit.lower()
    system = _SYSTEMS[configuration.split("-")[1]]
    with tempfile.TemporaryDirectory() as place:
        command = [
            *(sys.executable, "-m", "ethosu.vela", str(source.resolve()), "--accelerator-config", configuration),
            *("--config", "Arm/vela.ini", "--system-config", system, "--memory-mode", "Shared_Sram"),
            *("--optimise", "Performance", "--output-dir", place),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=place)
        except subprocess.TimeoutExpired as exc:
            raise ExportFailed(f"Vela did not compile {source.name} within {_SECONDS} s.") from exc
        if done.returncode:
            said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise ExportFailed(f"Vela refuses {source.name}: {(said or ['it says nothing'])[-1][:300]}")
        most = _GROWN * source.stat().st_size + _COMMANDS
        content = read_output(Path(place) / f"{source.stem}_vela.tflite", most)
        table = read_output(Path(place) / f"{source.stem}_summary_{system}.csv", 1 << 20).decode("utf-8", "replace")
    reasons = {name: f"{reason.strip()} ({kind})" for kind, name, reason in _LEFT.findall(done.stdout + done.stderr)}
    try:
        [row] = csv.DictReader(table.splitlines())
        cycles, clock, sram = (float(row[key]) for key in ("cycles_total", "core_clock", "sram_memory_used"))
        flash = sum(float(row[f"{where}_flash_memory_used"]) for where in ("on_chip", "off_chip"))
    except (ValueError, KeyError, TypeError) as exc:
        raise ExportFailed(f"Vela's summary of {source.name} cannot be read: {exc}.") from exc
    return Compiled(content, cycles, clock, 1024 * sram, 1024 * flash, reasons)  # its sizes are in KiB


def read_output(file: Path, most: int) -> bytes:
    """What Vela wrote to `file`. Raises ExportFailed where that is no file of at most so many bytes."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > most:
        raise ExportFailed(f"Vela wrote no {file.name} of at most {most:,} bytes.")
    return file.read_bytes()


def _main(content: bytes, name: str) -> tflite.Subgraph:
    try:
        return tflite.read(content).subgraphs[0]
    except BadInput as exc:
        raise ExportFailed(f"what Vela made of {name} cannot be read: {exc.message}") from exc


def _why_left(graph: tflite.Subgraph, kept: list[tflite.Operator], reasons: Mapping[str, str]) -> dict[str, str]:
    """Operator that stayed, by its output and its place -> why."""
    whys = {}
    for operator in kept:
        ends = [graph.tensors[index].name for index in (operator.outputs or operator.inputs)[:1]]
        why = next((reasons[name] for name in ends if name in reasons), f"Vela leaves {operator.name} to the processor")
        whys[" ".join([str(operator.index), *(ends or [operator.name])])] = why
    return whys
