"""Search for bytes that break a reader of foreign files: ``python tests/fuzzing/search.py [NAME ...] --seconds 600``.

With ``--inputs 2000 --seed 1``, and an empty ``build/fuzz``, every machine tries the same inputs.

Coverage-guided, by Atheris (libFuzzer). For any bytes a reader gives a result or raises one `EdgekitError`, within 10
seconds of the processor and 512 MB of memory; anything else is a finding, whose input is left in
``build/fuzz/NAME/findings/``. What a search has learnt stays in ``build/fuzz/NAME/corpus/`` for the next.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

BUILD = Path("build/fuzz")
#: Nights in which every reader has its turn.
TURNS = 7
#: Limits for one input: seconds of the processor, and bytes of memory that were not in use before.
SECONDS, MEMORY = 10.0, 512 << 20
#: Address space that one input may ask for, above what the libraries take.
_SPACE = 2 << 30
#: Bytes of an input at most, if no seed is longer; seconds after which an input is taken for an endless loop.
_LONGEST, _ENDLESS = 4096, 60
_NUMBERS = re.compile(r"stat::number_of_executed_units:\s*(\d+)|cov: (\d+)")


class Excess(Exception):
    """An input that took more time or memory than an input may."""


def main() -> int:
    from fuzzing.targets import TARGETS

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of a reader; all of them: {', '.join(TARGETS)}")
    options.add_argument("--seconds", type=int, default=600, help="for each reader")
    options.add_argument(
        "--inputs", type=int, default=-1, help="for each reader, at most; -1: as many as the time allows"
    )
    options.add_argument("--jobs", type=int, default=1, help="readers that are searched at the same time")
    options.add_argument("--turn", type=int, default=0, help=f"1 to {TURNS}: one of so many shares of them; 0: all")
    options.add_argument("--seed", type=int, default=0, help="of the changes; 0: another one each time")
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if unknown := set(chosen.names) - TARGETS.keys():
        options.error(f"there is no reader {min(unknown)!r}; there are: {', '.join(TARGETS)}")
    if not 0 <= chosen.turn <= TURNS:
        options.error(f"--turn is 0 to {TURNS}, not {chosen.turn}")
    if chosen.child:
        search(chosen.names[0], [f"-max_total_time={chosen.seconds}", f"-runs={chosen.inputs}", f"-seed={chosen.seed}"])
    how = ["--seconds", str(chosen.seconds), "--inputs", str(chosen.inputs), "--seed", str(chosen.seed)]
    names = chosen.names or list(TARGETS)
    names = names[chosen.turn - 1 :: TURNS] if chosen.turn else names
    broken = [name for name, sound in searched(names, how, chosen.jobs) if not sound]
    print(f"{len(broken)} of {len(names)} readers broke" + "".join(f"\n  {name}" for name in broken))
    return 1 if broken else 0


def searched(names: list[str], how: list[str], jobs: int) -> Iterator[tuple[str, bool]]:
    """Each reader in a process of its own, and whether it held; prints a line for each, and the error of a finding.

    Args:
        how: options of each process. jobs: how many run at the same time.
    """
    waiting, running = list(names), dict[str, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            running[name] = _started(name, how)
        for name, child in list(running.items()):
            if child.poll() is not None:
                del running[name]
                _tell(name, child.returncode)
                yield name, child.returncode == 0
        time.sleep(0.1)


def _started(name: str, how: list[str]) -> subprocess.Popen[bytes]:
    place = BUILD / name
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--child", name, *how]
    with (place / "log").open("wb") as log:
        # Sets in another order would be other places of the code in another order, and other inputs after them.
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONHASHSEED": "0"})


def _tell(name: str, status: int) -> None:
    log = (BUILD / name / "log").read_text("utf-8", "replace")
    runs, cover = ([int(pair[i]) for pair in _NUMBERS.findall(log) if pair[i]] or [0] for i in (0, 1))
    print(f"{name:20} {runs[-1]:>9} inputs, {cover[-1]:>5} places  {'held' if not status else 'BROKE'}", flush=True)
    if status:
        start = log.find(" === Uncaught Python exception: ===")
        print(log[start:][:3000] if start >= 0 else log[-3000:], flush=True)


def search(name: str, limits: list[str]) -> None:
    """Search in this process; ends it.

    Args:
        limits: options of libFuzzer: when it ends, and its seed.
    """
    import atheris

    warnings.simplefilter("ignore")
    place = (BUILD / name).resolve()
    for folder in ("corpus", "seeds", "findings"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    hook = atheris.instrument_imports(include=["edgekit"])
    hook.__enter__()  # for good: readers import what they need when they need it
    from fuzzing import structure
    from fuzzing.targets import TARGETS

    target = TARGETS[name]
    work = Path(tempfile.mkdtemp(prefix="edgekit-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    os.environ |= {"EDGEKIT_CACHE": str(work / "cache"), "EDGEKIT_OFFLINE": "1"}
    made = list(target.seeds(work))
    for i, content in enumerate(made):
        (place / "seeds" / f"{i:03}").write_bytes(content)
    (work / "in").mkdir()
    file = work / "in" / target.file
    for content in made:
        _read(target, file, content)  # imports what the reader needs: libraries are no part of an input's memory
    trial = bounded(lambda data: _read(target, file, data))
    most = max(_LONGEST, *(2 * len(content) for content in made))
    arguments = [sys.argv[0], *limits, f"-timeout={_ENDLESS}", f"-max_len={most}"]
    arguments += ["-rss_limit_mb=8192", "-print_final_stats=1", f"-artifact_prefix={place}/findings/"]
    arguments += [str(place / "corpus"), str(place / "seeds")]
    mutator: dict[str, Any] = {}
    if target.json:
        mutator["custom_mutator"] = lambda data, size, seed: structure.changed(data, size, seed, atheris.Mutate)
    atheris.Setup(arguments, trial, **mutator)
    with bounded_memory():
        atheris.Fuzz()


def _read(target: Any, file: Path, data: bytes) -> int:
    """0, or -1 for what is not worth keeping. Raises what the reader raises, but for our own errors and the system's
    that `boundary` makes ours."""
    from edgekit.errors import EdgekitError, boundary

    try:
        file.write_bytes(target.packed(data))
    except ValueError:
        return -1
    with contextlib.suppress(EdgekitError), boundary():
        target.read(file)
    return 0


def bounded(act: Callable[[bytes], int]) -> Callable[[bytes], int]:
    """`act` that raises `Excess` where it took too much time or memory."""

    def acted(data: bytes) -> int:
        clock, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = act(data)
        took = time.process_time() - clock
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) << 10
        if took > SECONDS or grown > MEMORY:
            raise Excess(f"{took:.1f} s and {grown >> 20} MB for {len(data)} bytes")
        return kept

    return acted


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Inside, what asks for far more memory than its input explains gets none."""
    pages, before = int(Path("/proc/self/statm").read_text().split()[0]), resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _SPACE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


if __name__ == "__main__":
    sys.exit(main())
