"""The nouns of where a model must run: targets, their boards and devices, the forms that they package. Part of
`edgekit.core`, which everybody imports them from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.core.values import Bundle, Calls, Progress, Recipe


@dataclass(frozen=True)
class Board:
    """A part that one can buy, as budgets for its processor class.

    Attributes:
        name: what the user types. processor: name of the target that serves it.
        flash, ram: bytes. clock: Hz.
        cycles: least and most processor cycles per instruction that the emulator counts, for estimates.
        note: where the facts are from, and what is special.
    """

    name: str
    processor: str
    flash: int
    ram: int
    clock: float
    cycles: tuple[float, float]
    note: str


@dataclass(frozen=True)
class Form:
    """One thing that `package` can make of a bundle: a file, or a folder of files.

    Attributes:
        suffix: what is added to the bundle's name where the user gives no place.
        write: (bundle, place, options) -> None. `place` is a fresh file, or a fresh folder where `folder` is set,
            beside the final one: it gets its name when this returns, and vanishes when it raises. The same bundle and
            options must give the same bytes. Raises BadInput for an option's value, Unsupported for a bundle that has
            no such form (saying why).
        folder: a folder is written.
        options: name -> what it means, with an example; values come as text.
        leftovers: names of folders at the top of a folder form that build tools make there. They are not held to be
            the user's work when the form is written again, and go then.
    """

    suffix: str
    write: Callable[[Bundle, Path, Mapping[str, str]], None]
    folder: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """What a connected device is asked to measure of a bundle.

    Attributes:
        bundle: its folder; hashes and code were checked.
        address: which device, where several are connected (a serial number); "" for the only one.
        calls: of every part, every call that the golden input made on this machine, in order.
        units: amounts of work in that input: ``{"audio_seconds": 11.0}``.
        threads: thread counts to measure with, the first of them for the report; () leaves the choice to the device.
        processes, warmups, loops, seconds: as for `edgekit.benchmark`.
        limit: seconds after which a process on the device counts as hung.
        progress: told what is being done.
    """

    bundle: Path
    address: str
    calls: Calls
    units: Mapping[str, float]
    threads: tuple[int, ...]
    processes: int
    warmups: int
    loops: int | None
    seconds: float
    limit: float
    progress: Progress


@dataclass(frozen=True)
class Device:
    """Something that people connect to their machine, and that runs bundles of a target.

    Attributes:
        measure: (trial) -> ``fidelity``, ``host`` (facts, nothing that identifies a person), ``versions``, ``threads``,
            ``measurements``, ``warnings``. Raises DeviceFailed, ParityFailed, Unsupported, BadInput; MissingExtra where
            a tool of this machine is absent.
        state: () -> (is one ready, what was found, what to do otherwise), for `doctor`: within seconds, starts nothing,
            raises nothing.
    """

    measure: Callable[[Trial], Mapping[str, Any]]
    state: Callable[[], tuple[bool, str, str]]


@dataclass(frozen=True)
class Target:
    """Where a model must run. One file in `targets/` declares one of these as ``TARGET``.

    Attributes:
        download, ram, flash: budgets in bytes, None where there is none. Checked before and after an export.
        recipes: task -> default recipe; the key ``"*"`` serves every task that has none of its own.
        store: what the store that delivers to it says about downloads, a sentence.
        refuses: task -> a sentence a person understands, for tasks that make no sense there.
        device: name of the device that runs it (``"host"``, ``"qemu"``), or None: nothing is measured unless the user
            names one of `devices`.
        devices: name -> what people connect: ``bench --device NAME[:ADDRESS]`` measures there.
        runtime: what the app must ship to run the bundle, by exporter (a Maven coordinate, a pip requirement);
            ``{version}`` is that of `Exporter.runtime` here.
        pack: bundle folder -> None; lays out the target's own form inside the bundle, or None.
        boards: name -> a part of this class, whose budgets ``--board`` takes.
        prove: (bundle folder, the calls that its golden input made here) -> facts; runs the bundle's golden vectors on
            the device. Raises ParityFailed or DeviceFailed, MissingExtra where the device is absent. None where only
            this machine can run it.
        forms: name -> a form of its own for `package`.
        measure: bundle folder -> what the device counted, as measurements and facts. None: `bench` measures this
            machine.
    """

    name: str
    system: str
    processor: str
    recipes: Mapping[str, Recipe]
    device: str | None
    download: int | None = None
    ram: int | None = None
    flash: int | None = None
    store: str = ""
    refuses: Mapping[str, str] = field(default_factory=dict)
    runtime: Mapping[str, str] = field(default_factory=dict)
    pack: Callable[[Path], None] | None = None
    boards: Mapping[str, Board] = field(default_factory=dict)
    prove: Callable[[Path, Calls], Mapping[str, Any]] | None = None
    measure: Callable[[Path], Mapping[str, Any]] | None = None
    forms: Mapping[str, Form] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
