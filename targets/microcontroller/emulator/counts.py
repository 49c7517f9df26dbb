"""What an inference costs on an emulated chip: exact instructions, flash, RAM, stack."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceFailed
from edgekit.targets.microcontroller.emulator.elf import memory
from edgekit.targets.microcontroller.emulator.qemu import run
from edgekit.targets.microcontroller.emulator.toolchain import Machine, build


@dataclass(frozen=True)
class Layer:
    """One call of a kernel: its name in the C file and its instructions, one count per repeat."""

    name: str
    instructions: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """One benchmark of a firmware bundle.

    Attributes:
        init: instructions of network_init. inference: instructions of each network_invoke.
        layers: the same by layer, from a program of its own: the hooks cost instructions too.
        frontend: instructions of each frame of features; empty where there is no frontend or no golden audio.
        stack, frontend_stack: high-water marks below the caller, in bytes.
        arena, weights: bytes, as the generated header says.
        footprint: of the smallest firmware that runs the network, see `_elf.memory`.
        footprint_sound: of the smallest program from samples to detections, None where there is no such program.
    """

    init: int
    inference: tuple[int, ...]
    layers: tuple[Layer, ...]
    frontend: tuple[int, ...]
    stack: int
    frontend_stack: int
    arena: int
    weights: int
    footprint: dict[str, int]
    footprint_sound: dict[str, int] | None


def bench(bundle: Path, machine: Machine, repeats: int = 3, runs: int = 2, timeout: float = 300) -> Counts:
    """Build the bundle's benchmarks for `machine` and run them in its emulator.

    Args:
        repeats: inferences per run, on the golden inputs in turn.
        runs: whole runs, which must agree in every count.

    Raises:
        DeviceFailed: it crashed or hung, or two runs disagreed. MissingExtra: no compiler or emulator.
        BadInput: not a firmware bundle.
    """
    repeat = f"BENCH_REPEATS={repeats}u"
    with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
        work = Path(scratch)
        plain = _lines(build(bundle, machine, "bench", work, (repeat,)), machine, runs, timeout)
        layers = _lines(build(bundle, machine, "bench", work, (repeat, "EK_PROFILE")), machine, runs, timeout)
        footprint = memory(build(bundle, machine, "footprint", work, (repeat,)))
        sound = (bundle / "src" / "detector.h").is_file()
        footprint_sound = memory(build(bundle, machine, "footprint_sound", work, (repeat,))) if sound else None
    return Counts(
        init=_one(plain, "init"),
        inference=_all(plain, "inference"),
        layers=_layers(layers),
        frontend=_all(plain, "frontend"),
        stack=_one(plain, "stack"),
        frontend_stack=_one(plain, "frontend_stack") if _all(plain, "frontend_stack") else 0,
        arena=_one(plain, "arena"),
        weights=_one(plain, "weights"),
        footprint=footprint,
        footprint_sound=footprint_sound,
    )


def _lines(program: Path, machine: Machine, runs: int, timeout: float) -> list[str]:
    """What `program` writes, the same in every one of `runs` runs."""
    results = [run(program, machine, timeout) for _ in range(runs)]
    if results[0].code:
        reason = " ".join(results[0].lines[-1:]).removeprefix("ERROR ") or f"exit code {results[0].code}"
        raise DeviceFailed(f"the benchmark on {machine.board} failed: {reason}.")
    if any(result != results[0] for result in results):
        raise DeviceFailed(
            f"two runs of the benchmark on {machine.board} counted differently; this emulator is not exact."
        )
    return list(results[0].lines)


def _all(lines: Sequence[str], key: str) -> tuple[int, ...]:
    return tuple(int(line.split(" ")[1]) for line in lines if line.startswith(f"{key} "))


def _one(lines: Sequence[str], key: str) -> int:
    values = _all(lines, key)
    if len(values) != 1:
        raise DeviceFailed(f"the benchmark wrote {len(values)} lines {key!r} instead of 1.")
    return values[0]


def _layers(lines: Sequence[str]) -> tuple[Layer, ...]:
    """From lines "layer INDEX COUNT NAME", which come again for every repeat."""
    counts: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for line in lines:
        if line.startswith("layer "):
            _, index, count, name = line.split(" ", 3)
            counts.setdefault(int(index), []).append(int(count))
            names[int(index)] = name
    return tuple(Layer(names[index], tuple(values)) for index, values in sorted(counts.items()))
