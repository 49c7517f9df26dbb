"""Tokens per second beside llama-bench: the same library, file and threads, interleaved, as ratios with their spread.

    python tests/peers/compare_llama.py model.gguf [--rounds 6] [--threads 2]

Each round takes one value of pp512 and one of tg128 from either side, in alternating order; the first round warms up
and is left out. It wants the machine to itself. Exit status 1: a median ratio is further than 3 % from 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgekit import llama
from edgekit.bench.stats import median
from edgekit.registry import find

TESTS = {"pp512": {"prompt": 512}, "tg128": {"generate": 128}}
BAR = 0.03


def theirs(program: Path, file: Path, threads: int, arguments: dict[str, int]) -> float:
    """One value of llama-bench, tokens/s; it warms up by itself."""
    lengths = ["-p", str(arguments.get("prompt", 0)), "-n", str(arguments.get("generate", 0))]
    command = [str(program), "-m", str(file), "-t", str(threads), "-r", "1", "-o", "json", *lengths]
    done = subprocess.run(command, capture_output=True, check=True, timeout=600)
    return float(json.loads(done.stdout)[0]["avg_ts"])


def compare(program: Path, file: Path, threads: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Test -> (ours, theirs) of every round."""
    exporter: Any = find("exporters", "gguf")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in TESTS}
    for number in range(rounds + 1):
        for name, arguments in TESTS.items():
            # A runner keeps its memory, and llama-bench does not: ours is opened for each value, as theirs is.
            runner = exporter.load(file, threads)
            values = {}
            for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                if side == "ours":
                    values[side] = runner.speed(**arguments)
                else:
                    values[side] = theirs(program, file, threads, arguments)
            if number:
                found[name].append((values["ours"], values["theirs"]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    program = (llama.libraries() or Path()) / "llama-bench"
    if not program.is_file():
        parser.error(f"there is no llama-bench; build it with: {llama.state()[2] or 'python -m edgekit.llama'}")
    missed = False
    for name, pairs in compare(program, given.file, given.threads, given.rounds).items():
        ratios = sorted(ours / other for ours, other in pairs)
        ours, other = (median([pair[i] for pair in pairs]) for i in (0, 1))
        print(
            f"{name}: edgekit {ours:.1f}, llama-bench {other:.1f} tokens/s; ratio {median(ratios):.3f} "
            f"({ratios[0]:.3f} .. {ratios[-1]:.3f}), {len(ratios)} rounds, {given.threads} threads"
        )
        missed |= abs(median(ratios) - 1) > BAR
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
