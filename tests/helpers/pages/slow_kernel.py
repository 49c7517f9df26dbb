"""The toy runtime with a clock of its own: a call of a part costs a fixed time plus noise, whatever the machine does.

The label "slow" among the weights makes the network's kernel 20 % slower. Installed with `toy_model.install`.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

from helpers.toys import toy_model
from helpers.toys.toy_model import ToyRunner, ToyRuntime

from edgekit.core import Feeds, Runner

ENTRY_POINTS = toy_model.ENTRY_POINTS.replace(
    "toy = helpers.toys.toy_model:RUNTIME", "toy = helpers.pages.slow_kernel:RUNTIME"
)


class Clock:
    """`time.perf_counter` of a measured process: real to the microsecond while nothing computes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.noise = random.Random(os.getpid())
        self.level = 1.0 + 0.005 * self.noise.gauss(0.0, 1.0)

    def perf_counter(self) -> float:
        self.now += 1e-7
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds * self.level * (1.0 + 0.01 * abs(self.noise.gauss(0.0, 1.0)))


CLOCK = Clock()


class _Runner(ToyRunner):
    def __init__(self, file: Path, seconds: float) -> None:
        super().__init__(file)
        self._seconds = seconds

    def __call__(self, feeds: Feeds) -> dict[str, Any]:
        CLOCK.work(self._seconds)
        return super().__call__(feeds)


class SlowKernel(ToyRuntime):
    def load(self, file: Path, threads: int) -> Runner:
        if "EDGEKIT_FAKE_CLOCK" in os.environ:
            time.perf_counter = CLOCK.perf_counter
        slow = "slow" in (file.parent / "labels.txt").read_text().split()
        return _Runner(file, 0.05 * (1.2 if slow and file.stem == "network" else 1.0))


RUNTIME = SlowKernel()
