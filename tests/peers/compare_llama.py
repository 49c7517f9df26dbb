"""Tokens per second beside llama-bench: the same library, file and threads, interleaved, as ratios with their spread.

    python tests/peers/compare_llama.py model.gguf [--rounds 15] [--threads 2]

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
import time
from math import comb
from pathlib import Path
from typing import Any

from edgekit.bench.machine import host
from edgekit.bench.statistics.repeated import median
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


def compare(program: Path, file: Path, threads: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Test -> (ours, theirs) of every round in which nothing else took the processors."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in TESTS}
    for number in range(rounds + 1):
        for name, arguments in TESTS.items():
            before = reading()
            values = pair(program, file, threads, arguments, ours_first=bool(number % 2))
            wall, own, busy = (now - then for now, then in zip(reading(), before, strict=True))
            others = (busy - own) / wall
            print(f"{number}/{rounds} {name} {values} others {others:.2f} cores", file=sys.stderr, flush=True)
            if number and others < OTHERS:
                found[name].append((values["ours"], values["theirs"]))
    return found


def pair(program: Path, file: Path, threads: int, arguments: dict[str, int], *, ours_first: bool) -> dict[str, float]:
    """A value of either side. A runner keeps its memory, and llama-bench does not: ours is opened anew each time."""
    exporter: Any = find("exporters", "gguf")
    runner, values = exporter.load(file, threads), {}
    for side in ("ours", "theirs") if ours_first else ("theirs", "ours"):
        if side == "ours":
            values[side] = float(runner.speed(**arguments))
        else:
            values[side] = theirs(program, file, threads, arguments)
    return values


def reading() -> tuple[float, float, float]:
    """Seconds: the clock, what this process and its children computed, what all of the machine did (if it tells)."""
    own, system = sum(os.times()[:4]), host.cpu_times()
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
    given = parser.parse_args()
    program = (library.libraries() or Path()) / "llama-bench"
    if not program.is_file():
        parser.error(f"there is no llama-bench; build it with: {library.state()[2] or 'python -m edgekit.llama'}")
    missed = False
    for name, pairs in compare(program, given.file, given.threads, given.rounds).items():
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
