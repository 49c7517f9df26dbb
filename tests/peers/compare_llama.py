"""Tokens per second beside llama-bench: the same library, file and threads, interleaved, as ratios with their spread.

    python tests/peers/compare_llama.py model.gguf [--rounds 15] [--threads 2] [--java]

With `--java` edgekit's side is the layer of apps: the Java of a Gradle module on this machine's JVM over its C.

Each round takes one value of pp512 and one of tg128 from either side, in alternating order; the first round warms up
and is left out, and so is what was taken while others used the processors. Exit status 1: a median ratio is further
than 3 % from 1, or less than six rounds count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from edgekit.bench.machine import host
from edgekit.bench.statistics.repeated import median
from edgekit.formats import gguf
from edgekit.formats.gguf.described import shape_of_file
from edgekit.llama import library
from edgekit.registry import find

TESTS = {"pp512": {"prompt": 512}, "tg128": {"generate": 128}}
BAR = 0.03
#: Cores that others may use in a round; else it does not count.
OTHERS = 0.1


def theirs(program: Path, file: Path, threads: int, arguments: dict[str, int]) -> float:
    """One value of llama-bench, tokens/s; it warms up by itself."""
    lengths = ["-p", str(arguments.get("prompt", 0)), "-n", str(arguments.get("generate", 0))]
    command = [str(program), "-m", str(file), "-t", str(threads), "-r", "1", "-o", "json", *lengths]
    done = subprocess.run(command, capture_output=True, check=True, timeout=600)
    return float(json.loads(done.stdout)[0]["avg_ts"])


@dataclass(frozen=True)
class Side:
    """edgekit's side: tokens per second for such arguments (`TESTS`), and the process that computes, if another."""

    speed: Callable[[dict[str, int]], float]
    process: int | None = None


def python_side(file: Path, threads: int) -> Side:
    """The file opened anew for each value, as by llama-bench: a runner keeps its memory."""
    runtime: Any = find("runtimes", "llama-cpp")
    return Side(lambda arguments: float(runtime.load(file, threads).speed(**arguments)))


def java_side(file: Path, threads: int, folder: Path) -> Side:
    """A process that keeps the model loaded; its classes and library are compiled into `folder`."""
    from helpers.devices.chat import PEER, compiled

    words = shape_of_file([gguf.read(file)], file.name).vocabulary
    command = [*compiled(folder, PEER.with_name("ChatSpeed.java")), str(file), str(threads), str(words)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measured(arguments: dict[str, int]) -> float:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(" ".join(f"{what} {count}" for what, count in arguments.items()) + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return Side(measured, process.pid)


def compare(side: Side, program: Path, file: Path, threads: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Test -> (ours, theirs) of every round in which nothing else took the processors."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in TESTS}
    for number in range(rounds + 1):
        for name, arguments in TESTS.items():
            before = reading(side.process)
            values = pair(side, program, file, threads, arguments, ours_first=bool(number % 2))
            wall, own, busy = (now - then for now, then in zip(reading(side.process), before, strict=True))
            others = (busy - own) / wall
            print(f"{number}/{rounds} {name} {values} others {others:.2f} cores", file=sys.stderr, flush=True)
            if number and others < OTHERS:
                found[name].append((values["ours"], values["theirs"]))
    return found


def pair(
    side: Side, program: Path, file: Path, threads: int, arguments: dict[str, int], *, ours_first: bool
) -> dict[str, float]:
    """A value of either side."""
    both: dict[str, Callable[[], float]] = {
        "ours": lambda: side.speed(arguments),
        "theirs": lambda: theirs(program, file, threads, arguments),
    }
    return {name: both[name]() for name in (both if ours_first else reversed(both))}


def reading(child: int | None) -> tuple[float, float, float]:
    """Seconds: the clock, what this process and its children computed, what all of the machine did (if it tells).

    `child`: one that still runs, and is not counted before it ends.
    """
    own, system = sum(os.times()[:4]), host.cpu_times()
    if child is not None:
        user, kernel = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
        own += (int(user) + int(kernel)) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), own, own if system is None else system.busy


def interval(ratios: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """Of the median, exact for whatever distribution: the order statistics that a fair coin leaves it between (the sign
    test turned round). Fewer than six have none of 95 %: then it is from the least to the largest.
    """
    ordered, n = sorted(ratios), len(ratios)
    beyond, outside = 0, 0.0
    while beyond < n // 2:
        outside += 2 * comb(n, beyond) / 2**n
        if outside > 1 - confidence:
            break
        beyond += 1
    cut = max(0, beyond - 1)
    return ordered[cut], ordered[n - 1 - cut]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--java", action="store_true", help="the layer of apps instead of Python's")
    given = parser.parse_args()
    program = (library.libraries() or Path()) / "llama-bench"
    if not program.is_file():
        parser.error(f"there is no llama-bench; build it with: {library.state()[2] or 'python -m edgekit.llama'}")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        side = (
            java_side(given.file, given.threads, Path(folder)) if given.java else python_side(given.file, given.threads)
        )
        measured = compare(side, program, given.file, given.threads, given.rounds)
    for name, pairs in measured.items():
        ratios = sorted(ours / other for ours, other in pairs)
        if len(ratios) < 6:
            print(f"{name}: the machine was busy; {len(ratios)} rounds count, too few to say anything")
            missed = True
            continue
        low, high = interval(ratios)
        ours, other = (median([pair[i] for pair in pairs]) for i in (0, 1))
        print(
            f"{name}: edgekit {ours:.1f}, llama-bench {other:.1f} tokens/s; ratio {median(ratios):.3f} "
            f"(95 % interval of the median {low:.3f} to {high:.3f}; rounds {ratios[0]:.3f} .. {ratios[-1]:.3f}), "
            f"{len(ratios)} of {given.rounds} rounds, {given.threads} threads"
        )
        missed |= abs(median(ratios) - 1) > BAR
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
