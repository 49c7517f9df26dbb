"""Roads in turns: every network of a model on the same inputs, one call at a time, in an order that is drawn anew."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from _roads_bundles import Road

from edgekit.bench.machine import host
from edgekit.bundles.opened import load, makers
from edgekit.core import Feeds, Runner
from edgekit.numerics.parity import Recorder

#: Calls in a row that a turn takes the least of, after one that only warms caches; turns that only warm up.
TIMES, WARMUPS = 3, 3
#: Seconds between two contestants: thread pools spin for some milliseconds after their last work.
SETTLE = 0.03
#: Turns that an interval needs at least, whatever the time says.
FEWEST = 20

#: Exporter and precision.
Key = tuple[str, str]


@dataclass
class Section:
    """One part with one number of threads: exporter and precision -> seconds of every turn; reasons for doubt."""

    model: str
    part: str
    threads: int
    spent: dict[Key, list[float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def turns(self) -> int:
        return min(map(len, self.spent.values()), default=0)


def recorded(road: Road) -> dict[str, Feeds]:
    """What the golden input makes the pipeline give to every part but the frontend: its second or only call."""
    assert road.bundle is not None
    seen: dict[str, Recorder] = {}

    def watch(name: str, runner: Runner) -> Recorder:
        seen[name] = Recorder(runner, keep=2)
        return seen[name]

    predictor = load(road.bundle.path, 1, watch, hashes=False)
    predictor.probe(str(road.bundle.path / road.bundle.manifest.golden.input))
    return {name: one.calls[-1][0] for name, one in seen.items() if name != "frontend"}


def measured(there: Sequence[Road], part: str, feeds: Feeds, threads: int, seconds: float) -> Section:
    """Turns of all `there` for `seconds`: in each every network is called with `feeds`, and the least time counts."""
    section = Section(there[0].model, part, threads)
    runners = {road.key: _opened(road, part, threads) for road in there}
    feeds = _fitting(feeds, list(runners.values()))
    section.spent = {key: [] for key in runners}
    rng, order = random.Random(threads), list(runners)
    for _ in range(WARMUPS):
        for runner in runners.values():
            runner(feeds)
    load_average, before, began = host.load_average(), host.cpu_times(), time.perf_counter()
    wall = cpu = 0.0
    own = time.process_time()
    while section.turns < FEWEST or time.perf_counter() - began < seconds:
        rng.shuffle(order)
        for key in order:
            time.sleep(SETTLE)
            busy, start = time.process_time(), time.perf_counter()
            section.spent[key].append(_least(runners[key], feeds))
            wall, cpu = wall + time.perf_counter() - start, cpu + time.process_time() - busy
        _tell(f"{section.model} {part}, {threads} thread(s): turn {section.turns}")
    passed, after = time.perf_counter() - began, host.cpu_times()
    others = steal = None
    if before is not None and after is not None:
        others = max(0.0, after.busy - before.busy - (time.process_time() - own)) / passed
        steal = (after.steal - before.steal) / passed
    section.warnings = host.busy_warning(
        cpu=cpu / wall, threads=threads, cores=host.describe()["cores"], load=load_average, steal=steal, others=others
    )
    return section


def _opened(road: Road, part: str, threads: int) -> Runner:
    assert road.bundle is not None
    facts = next(one for one in road.bundle.manifest.parts if one.name == part)
    return makers(road.bundle).runtime.load(road.bundle.path / facts.file, threads)


def _fitting(feeds: Feeds, runners: Sequence[Runner]) -> Feeds:
    """The inputs, cut to what the formats with fixed shapes take: GE2E's one stretch of several."""
    cut: dict[str, Any] = dict(feeds)
    for runner in runners:
        for spec in runner.inputs:
            ends = tuple(slice(size) if isinstance(size, int) else slice(None) for size in spec.shape)
            cut[spec.name] = cut[spec.name][ends]
    return cut


def _least(runner: Runner, feeds: Mapping[str, Any]) -> float:
    runner(feeds)
    found = []
    for _ in range(TIMES):
        start = time.perf_counter()
        runner(feeds)
        found.append(time.perf_counter() - start)
    return min(found)


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
