"""Types of targets, their boards and devices, and the forms of `package`. Part of
`edgekit.core`, from which all modules import them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from edgekit.core.results import Fidelity, Measurement
    from edgekit.core.values import Calls, Facts, Progress, Recipe


@dataclass(frozen=True)
class Board:
    """A board or a chip that can be bought.

    Attributes:
        name: its name for ``--board``. processor: name of its target.
        note: the source of the facts, and special features.
        flash, ram: bytes, which replace the target's. None: the target's hold.
        clock: Hz. cycles: least and most processor cycles per instruction that the emulator counts, for estimates.
        runtime: name of the runtime of its accelerator, which the name of the board asks for; "" if it has none.
        unit: what that runtime calls the accelerator.
    """

    name: str
    processor: str
    note: str
    flash: int | None = None
    ram: int | None = None
    clock: float | None = None
    cycles: tuple[float, float] | None = None
    runtime: str = ""
    unit: str = ""

    def seconds(self, instructions: float) -> tuple[float, float] | None:
        """Least and most time of so many emulated instructions; None where clock or cycles are not known."""
        if self.clock is None or self.cycles is None:
            return None
        return instructions * self.cycles[0] / self.clock, instructions * self.cycles[1] / self.clock


@dataclass(frozen=True)
class Form:
    """A form in which `package` can write a bundle: a file, or a folder of files.

    Attributes:
        suffix: added to the bundle's name for the default of ``--out``.
        write: (bundle, place, options) -> None. `place` is a fresh file, or a fresh folder where `folder` is set,
            beside the final place: it is renamed when this returns, and deleted when it raises. The same bundle and
            options must give the same bytes. Raises BadInput for an option's value, Unsupported for a bundle that has
            no such form (saying why).
        folder: a folder is written.
        options: name -> what it means, with an example; values come as text.
        cases: `write` takes a fourth argument: what a phone is to be asked (`Runtime.cases`).
        leftovers: names of folders at the top of a folder form that build tools make there. They are not held to be
            the user's work when the form is written again, and go then.
    """

    suffix: str
    write: Callable[..., None]
    folder: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    cases: bool = False


@dataclass(frozen=True)
class Trial:
    """A measurement of a bundle on a connected device.

    Attributes:
        bundle: its folder; hashes and code were checked.
        address: the device's serial number, if several are connected; "" for the only device.
        calls: all calls of every part for the golden input on this machine, in order.
        units: amounts of work in that input: ``{"audio_seconds": 11.0}``.
        threads: thread counts to measure with, the first of them for the report; () leaves the choice to the device.
        processes, warmups, loops, seconds: as for `edgekit.benchmark`.
        limit: seconds after which a process on the device counts as hung.
        progress: called with each step.
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


class Measured(TypedDict):
    """What a device measured. `host`: facts, nothing that identifies a person; `local`: it runs on this machine, whose
    facts are added."""

    fidelity: Fidelity
    host: Facts
    versions: Mapping[str, str]
    threads: int
    measurements: tuple[Measurement, ...]
    warnings: Sequence[str]
    local: NotRequired[bool]


@dataclass(frozen=True)
class Device:
    """A device that is connected to this machine and runs bundles of a target (a phone).

    Attributes:
        measure: (trial) -> what was measured. Raises DeviceFailed, ParityFailed, Unsupported, BadInput; MissingExtra
            where a tool of this machine is absent.
        state: () -> (ready, name of the device, remedy if not ready), for `doctor`: within seconds, starts nothing,
            raises nothing.
    """

    measure: Callable[[Trial], Measured]
    state: Callable[[], tuple[bool, str, str]]


@dataclass(frozen=True)
class Target:
    """A device class on which models run. A file in `targets/` declares it as ``TARGET``.

    Attributes:
        download, ram, flash: budgets in bytes, None: no limit. Checked before and after an export.
        recipes: task -> default recipe; the key ``"*"`` is for every other task.
        store: the app store's rule on downloads, a sentence.
        refuses: task -> why it makes no sense on this target, a sentence.
        device: name of the device that runs it (``"host"``, ``"qemu"``), or None: nothing is measured unless the user
            names a device of `devices`.
        devices: name -> connected device; ``bench --device NAME[:ADDRESS]`` measures there.
        runtimes: runtime -> what the app must ship to run the bundle (a Maven coordinate, a pip requirement), the
            preferred one of a format first; ``{version}`` is that of the first of `Runtime.distributions` here.
        pack: bundle folder -> None; lays out the target's own form inside the bundle, or None.
        boards: name -> a board of this class, for ``--board``.
        prove: (bundle folder, the calls that its golden input made here) -> facts; runs the bundle's golden vectors on
            the device. Raises ParityFailed or DeviceFailed, MissingExtra where the device is absent. None where only
            this machine can run it.
        forms: name -> form, for `package`.
        measure: bundle folder -> the device's counts, as measurements and facts. None: `bench` measures this
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
    runtimes: Mapping[str, str] = field(default_factory=dict)
    pack: Callable[[Path], None] | None = None
    boards: Mapping[str, Board] = field(default_factory=dict)
    prove: Callable[[Path, Calls], Facts] | None = None
    measure: Callable[[Path], Mapping[str, Any]] | None = None
    forms: Mapping[str, Form] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
