"""What was measured on firmware, and the demands of the issue on it. Counts are exact, so nothing has an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: The most that an inference may take, in millions of instructions: processor -> model.
INSTRUCTIONS = {
    "cortex-m4": {"KWS": 6.0, "VWW": 18.5, "ResNet8": 21.0, "anomaly": 0.50},
    "cortex-m55": {"KWS": 1.70, "VWW": 6.0, "ResNet8": 4.6, "anomaly": 0.155},
}
#: TensorFlow Lite Micro with CMSIS-NN (Helium on the M55), measured once elsewhere: never in the run that is reported.
QUOTED = {
    "cortex-m4": {"KWS": 7.70, "VWW": 24.20, "ResNet8": 29.59, "anomaly": 0.582},
    "cortex-m55": {"KWS": 1.75, "VWW": 6.42, "ResNet8": 4.65, "anomaly": 0.215},
}
#: The most bytes of flash (code and constants) and of RAM (variables, the arena with input and output among them).
FLASH, QUOTED_FLASH = {"KWS": 36_000, "VWW": 285_000}, {"KWS": 153_000, "VWW": 460_000}
RAM, QUOTED_RAM = {"KWS": 17_000, "VWW": 56_000}, {"KWS": 22_700, "VWW": 100_600}
#: Processors that the demands on memory are checked for: those that have figures of the rival.
SIZED = ("cortex-m4", "cortex-m55")
#: Inputs at least: random ones on the host (beside every real one), and in the emulator per model and processor.
RANDOM, EMULATED = 1_000, 50
#: Seconds at most to generate the C of VWW.
GENERATION = 5.0


@dataclass(frozen=True)
class Program:
    """One firmware on one processor.

    Attributes:
        instructions: per inference, the most of the golden inputs (a softmax's depend on the input).
        code, constants: bytes of flash. ram: bytes of arena and variables. stack: bytes, the deepest.
        layers: name -> instructions, in order, where they are known.
        checked: vectors whose outputs were compared in the emulator. fault: why not all were equal, or "".
        flag: how the compiler optimized. note: what is special.
    """

    instructions: int
    code: int
    constants: int
    ram: int
    stack: int
    layers: Sequence[tuple[str, int]] = ()
    checked: int = 0
    fault: str = ""
    flag: str = "-O2"
    note: str = ""

    @property
    def flash(self) -> int:
        return self.code + self.constants


@dataclass
class Subject:
    """Everything about one model.

    Attributes:
        macs: multiply-accumulates of the .tflite. computed: those of edgekit's C, which leaves some out.
        host: layout -> mismatching inputs on this computer, of `random` random and `real` real ones.
        ours: processor -> edgekit. peers: processor -> path -> bakenn, every way in which it was built.
        absent: what was not measured -> why.
        softmax: whether edgekit and TFLM compute one at the end; bakenn never does.
        generation: seconds that the generator took.
    """

    name: str
    macs: int = 0
    computed: int = 0
    softmax: bool = False
    random: int = 0
    real: int = 0
    every_real: bool = False
    source: str = ""
    generation: float = 0.0
    host: dict[str, int] = field(default_factory=dict)
    ours: dict[str, Program] = field(default_factory=dict)
    peers: dict[str, dict[str, list[Program]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def best_peer(self, processor: str, path: str = "") -> Program | None:
        """The peer's fewest instructions there, of what computed the right thing; on `path`, or on any."""
        return min(self._right(processor, path), key=lambda one: one.instructions, default=None)

    def smallest_peer(self, processor: str) -> Program | None:
        """The peer's least flash there, of what computed the right thing."""
        return min(self._right(processor, ""), key=lambda one: one.flash, default=None)

    def _right(self, processor: str, path: str) -> list[Program]:
        paths = self.peers.get(processor, {})
        return [one for name, built in paths.items() for one in built if not one.fault and path in ("", name)]


@dataclass(frozen=True)
class Keywords:
    """Accuracy on the keyword features: of tflite-micro here, and whether the emulated M4 gave the same bytes."""

    samples: int
    accuracy: float
    fault: str = ""


@dataclass(frozen=True)
class Bar:
    """One demand. `value` is None where it was not measured, or on fewer inputs than it asks for."""

    what: str
    most: float
    value: float | None
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.most else "missed"

    def raw(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


def bars(subjects: Sequence[Subject], keywords: Keywords | None, processors: Sequence[str]) -> list[Bar]:
    """Every demand on the models and processors that were asked for."""
    found: list[Bar] = []
    for processor in (one for one in INSTRUCTIONS if one in processors):
        for subject in subjects:
            ours, most = subject.ours.get(processor), INSTRUCTIONS[processor][subject.name]
            value = ours.instructions / 1e6 if ours else None
            found.append(Bar(f"instructions, {subject.name}, {processor}", most, value, "M"))
    for processor in (one for one in SIZED if one in processors):
        for subject in (one for one in subjects if one.name in FLASH):
            found += _memory(f"{subject.name}, {processor}", subject.name, subject.ours.get(processor))
    found += [bar for subject in subjects for bar in _exactness(subject, processors)]
    if any(subject.name == "KWS" for subject in subjects) and "cortex-m4" in processors:
        wrong = None if keywords is None else float(bool(keywords.fault))
        found.append(Bar("KWS, other answers than the reference's on the emulated M4", 0, wrong))
    found += [Bar("generating C, VWW", GENERATION, one.generation, "s") for one in subjects if one.name == "VWW"]
    return found


def _memory(where: str, name: str, ours: Program | None) -> list[Bar]:
    """The rival's RAM is its arena, without a stack: so is the demand. Ours is in the table of memory."""
    flash, ram = (ours.flash / 1e3, ours.ram / 1e3) if ours else (None, None)
    return [
        Bar(f"flash, {where}", FLASH[name] / 1e3, flash, "KB"),
        Bar(f"RAM, {where}", RAM[name] / 1e3, ram, "KB"),
    ]


def _exactness(subject: Subject, processors: Sequence[str]) -> list[Bar]:
    enough = subject.host and subject.random >= RANDOM and subject.every_real
    wrong = float(sum(subject.host.values()))
    host = wrong if wrong or enough else None
    there = [subject.ours.get(processor) for processor in processors]
    complete = [one for one in there if one and (one.fault or one.checked >= EMULATED)]
    emulated = float(sum(bool(one.fault) for one in complete)) if len(complete) == len(there) else None
    return [
        Bar(f"{subject.name}, mismatches on the host", 0, host),
        Bar(f"{subject.name}, processors that differ in the emulator", 0, emulated),
    ]


def raw(subjects: Sequence[Subject]) -> list[Mapping[str, Any]]:
    """As JSON-able data."""
    return [asdict(subject) for subject in subjects]
