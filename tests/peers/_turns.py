"""Contestants as processes, and the order in which they work: one at a time, taking turns clip by clip."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.bench.machine import host
from edgekit.bench.machine.memory import Sampler

#: Seconds between two turns: thread pools (OpenMP, onnxruntime) spin for some milliseconds after their last work.
SETTLE = 0.1
#: No turn of a working contestant takes this long, not even five minutes of audio on a busy machine.
PATIENCE = 1800.0


class Failed(Exception):
    """A contestant cannot be measured; the message says why."""


@dataclass(frozen=True)
class Entry:
    """Who takes part: the interpreter and the model, or why not (`missing`)."""

    name: str
    python: Path
    model: Path
    missing: str = ""


class Contestant:
    """One running `contestant.py`, or another script that speaks like it and takes `more` arguments. Close it.

    Raises:
        Failed: it did not load.
    """

    def __init__(
        self,
        entry: Entry,
        threads: int,
        log: Path,
        kind: str = "",
        script: str = "contestant.py",
        more: Sequence[str] = (),
    ) -> None:
        if entry.missing:
            raise Failed(entry.missing)
        self.name = entry.name
        self._log = log
        path = Path(__file__).with_name(script)
        command = [entry.python, path, kind or entry.name, entry.model, "--threads", str(threads), *more]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            self.loaded = self._read()
        except Failed:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """Core-seconds that the process has used so far; 0 where the system does not tell of another process."""
        try:
            # Linux's number of the clock that counts a process's time (clock_getcpuclockid of the C library).
            return time.clock_gettime((~self.pid << 3) | 2)
        except (OSError, AttributeError):
            return 0.0

    def ask(self, **request: Any) -> dict[str, Any]:
        """Raises Failed if it dies or does not answer in `PATIENCE` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as exc:
            raise Failed(self._why()) from exc
        return self._read()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise Failed(self._why())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _why(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"it stopped: {lines[-1][:200]}" if lines else f"it stopped, or took more than {PATIENCE:.0f} s"


@dataclass
class Section:
    """What was seen on one set of sounds. Lists by contestant are per sound, then per round, warm-up left out.

    Attributes:
        audio: seconds per sound. wall, cpu: seconds of each transcription. texts: of the warm-up round.
        idle: core-seconds that a contestant burnt while others worked, in all. memory: peak, and sampled peaks of its
        anonymous and file-backed parts, in bytes. failed: contestant → why. warnings: why to distrust the section.
    """

    name: str
    audio: list[float]
    rounds: int
    wall: dict[str, list[list[float]]] = field(default_factory=dict)
    cpu: dict[str, list[list[float]]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def raw(self) -> dict[str, Any]:
        return asdict(self)


def take_turns(
    section: Section, contestants: Sequence[Contestant], sounds: Sequence[Path], long: bool, seed: int
) -> list[Contestant]:
    """Fill `section`: one warm-up round and `section.rounds` measured ones. Returns who is left.

    In every round each sound goes through all contestants before the next sound begins, in an order that is drawn
    anew, so that a slow minute of the machine meets all of them alike.
    """
    rng = random.Random(seed)
    left = list(contestants)
    for contestant in left:
        section.wall[contestant.name] = [[] for _ in sounds]
        section.cpu[contestant.name] = [[] for _ in sounds]
        section.texts[contestant.name] = []
        section.memory[contestant.name] = {"anonymous": 0, "file": 0}
        section.idle[contestant.name] = 0.0
        contestant.ask(do="memory")
    for turn in range(section.rounds + 1):
        before = _reading()
        for at, sound in enumerate(sounds):
            for contestant in rng.sample(left, len(left)):
                try:
                    _turn(section, contestant, left, at, sound, long, warmup=turn == 0)
                except Failed as exc:
                    section.failed[contestant.name] = str(exc)
                    left.remove(contestant)
            _tell(f"{section.name}: round {turn} of {section.rounds}, sound {at + 1} of {len(sounds)}")
        if turn:
            section.warnings += _disturbed(section, before, turn)
    for contestant in left:
        answer = contestant.ask(do="memory")
        # A kernel that cannot forget the peak of the load would tell that one.
        section.memory[contestant.name]["peak"] = answer["peak"] if answer["exact"] else None
    _tell("")
    return left


def _turn(
    section: Section,
    contestant: Contestant,
    everyone: Sequence[Contestant],
    at: int,
    sound: Path,
    long: bool,
    warmup: bool,
) -> None:
    time.sleep(SETTLE)
    idle = {other.name: other.cpu() for other in everyone if other is not contestant}
    # Sampling costs a little, so the split of memory is watched only where time is not.
    with Sampler(contestant.pid) if warmup else nullcontext() as watch:
        answer = contestant.ask(do="transcribe", path=str(sound), long=long)
    name = contestant.name
    if abs(answer["audio_seconds"] - section.audio[at]) > 0.1:
        raise Failed(f"it took {sound.name} for {answer['audio_seconds']:.1f} s of audio, not {section.audio[at]:.1f}")
    if watch:
        held = section.memory[name]
        held["anonymous"] = max(held["anonymous"], watch.most.anonymous or 0)
        held["file"] = max(held["file"], watch.most.file or 0)
        section.texts[name].append(answer["text"])
        return
    for other in everyone:
        if other is not contestant:
            section.idle[other.name] += other.cpu() - idle[other.name]
    section.wall[name][at].append(answer["seconds"])
    section.cpu[name][at].append(answer["cpu"])


def _reading() -> tuple[float, host.Times | None]:
    return time.perf_counter(), host.cpu_times()


def _disturbed(section: Section, before: tuple[float, host.Times | None], turn: int) -> list[str]:
    """What other processes did to a round, by the kernel's count of busy core-seconds."""
    (started, old), (now, new) = before, _reading()
    if old is None or new is None:
        return []
    own = sum(values[turn - 1] for sounds in section.cpu.values() for values in sounds if len(values) >= turn)
    seconds = now - started
    others = max(0.0, (new.busy - old.busy - own) / seconds)
    found = []
    if others > 0.1:
        found.append(f"{section.name}, round {turn}: other processes used {others:.2f} cores on average")
    if (steal := (new.steal - old.steal) / seconds) > 0.02:
        found.append(f"{section.name}, round {turn}: the hypervisor took away {steal:.2f} cores on average")
    return found


def texts_of(contestant: Contestant, sounds: Sequence[Path], what: str) -> list[str]:
    """Every sound once, nothing timed. Raises Failed."""
    texts = []
    for at, sound in enumerate(sounds):
        _tell(f"{what}: {contestant.name}, sound {at + 1} of {len(sounds)}")
        texts.append(str(contestant.ask(do="transcribe", path=str(sound), long=False)["text"]))
    _tell("")
    return texts


def start(entries: Sequence[Entry], threads: int, logs: Path, absent: Callable[[str, str], None]) -> list[Contestant]:
    """Load everyone who can be loaded; `absent` is told (name, why) of the others."""
    started = []
    for entry in entries:
        _tell(f"loading {entry.name}")
        try:
            started.append(Contestant(entry, threads, logs / f"{entry.name}.log"))
        except Failed as exc:
            absent(entry.name, str(exc))
    return started


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
