"""The memory that `edgekit bench` reports beside what the system says of a bare script that does the same.

    python tests/peers/compare_memory.py BUNDLE [--threads 1] [--rounds 5]

First the harness itself with a model that is empty (the bar: below 60 MB), then the bundle (the bar: within 5 % of a
bare script under `/usr/bin/time -v`; where that is not installed, a launcher of a few lines asks the system for the
same figure, ``ru_maxrss`` of wait4).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edgekit.bench.processes import child
from edgekit.bundles.bundle import open_bundle

BARE = """
import sys
from edgekit.bundles.opened import load_unchecked
predictor = load_unchecked(sys.argv[1], int(sys.argv[3]), None)
for _ in range(int(sys.argv[4])):
    predictor.predict(sys.argv[2])
"""
LAUNCHER = """
import os, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print("Maximum resident set size (kbytes):", os.wait4(pid, 0)[2].ru_maxrss, file=sys.stderr)
"""


def empty(bundle: str, threads: int, wrap: object) -> object:
    """A loader of nothing."""
    from edgekit.core import Prediction, Predictor

    class Empty(Predictor):
        def predict(self, sample: object, **options: object) -> Prediction:
            return Prediction("nothing")

    return Empty()


def reported(load: str, bundle: Path, sample: str, threads: int, rounds: int) -> float:
    """Peak bytes as the benchmark reports them; `rounds` calls in all."""
    setup = child.Setup(load, bundle, (sample,), threads, warmups=0, loops=rounds, seconds=600.0)
    answer = child.once(setup)
    if answer.failure:
        sys.exit(answer.failure.message)
    return float(answer.values["rss.peak"][0])


def by_the_system(bundle: Path, sample: str, threads: int, rounds: int) -> float:
    """Peak bytes of the bare script as the system counts them."""
    time = shutil.which("time")
    start = [time, "-v"] if time else [sys.executable, "-I", "-S", "-c", LAUNCHER]
    command = [*start, sys.executable, "-c", BARE, str(bundle), sample, str(threads), str(rounds)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"Maximum resident set size \(kbytes\): (\d+)", told)
    assert found is not None, told
    return 1024.0 * int(found[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    sample = str(bundle.path.absolute() / bundle.manifest.golden.input)
    here = str(Path(__file__).parent)  # the measured process must find `empty`
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    nothing = reported("compare_memory:empty", bundle.path, sample, arguments.threads, arguments.rounds)
    ours = reported(
        "edgekit.bundles.bundle:load_unchecked", bundle.path.absolute(), sample, arguments.threads, arguments.rounds
    )
    bare = by_the_system(bundle.path.absolute(), sample, arguments.threads, arguments.rounds)
    print(f"an empty model: {nothing / 1e6:.1f} MB")
    print(f"{bundle.path.name}: edgekit bench {ours / 1e6:.1f} MB, bare {bare / 1e6:.1f} MB, {ours / bare - 1:+.1%}")
    return 0 if nothing < 60e6 and abs(ours / bare - 1.0) <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
