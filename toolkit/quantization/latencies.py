"""What a product of matrices takes in each form on this machine: measured once for a class of shapes, then kept.

Which form is fastest, and by how much, depends on the processor, so no constant tells it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bench.machine import host
from edgekit.common.files import cache_folder, write_whole
from edgekit.errors import EdgekitError

#: Rounds in which the forms take turns, and the seconds that a form has in a round.
_ROUNDS, _SECONDS = 9, 0.01


@dataclass(frozen=True)
class Shape:
    """A product of `rows` rows: [rows, inputs] x [inputs, outputs]."""

    rows: int
    inputs: int
    outputs: int

    @property
    def work(self) -> int:
        """Multiplications."""
        return self.rows * self.inputs * self.outputs

    @property
    def kind(self) -> Shape:
        """Its class: every side rounded to the nearest of 1, 1.5, 2, 3, 4, 6, 8, ..."""
        return Shape(*map(_round_size, (self.rows, self.inputs, self.outputs)))

    def __str__(self) -> str:
        return f"{self.rows}x{self.inputs}x{self.outputs}"


class Latencies:
    """Seconds of a product by form and shape, on one thread.

    Args:
        runtime: what computes it, with its version: another runtime has a table of its own.
        prepared: (form, shape) -> a call that computes such a product once.
        folder: where the tables are kept; None: in edgekit's cache.
    """

    def __init__(
        self, runtime: str, prepared: Callable[[str, Shape], Callable[[], object]], folder: Path | None = None
    ) -> None:
        machine = host.describe()
        self._of = {"runtime": runtime} | {name: machine[name] for name in host.IDENTITY}
        digest = hashlib.sha256(json.dumps(self._of, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self._prepared = prepared
        self.file = (folder or cache_folder() / "latencies") / f"{digest}.json"

    def seconds(self, shape: Shape, forms: Sequence[str]) -> dict[str, float]:
        """Form -> seconds of a product of this shape: those of its class, scaled by the multiplications.

        Where one was not measured yet all are, in turns, and kept. A cache that cannot be written stays as it is.
        """
        kind = shape.kind
        table = self._read_table()
        known = table.get(str(kind), {})
        if not set(forms) <= set(known):
            known = self._time_forms(kind, forms)
            content = {"of": self._of, "seconds": table | {str(kind): known}}
            with contextlib.suppress(OSError, EdgekitError):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self.file, json.dumps(content, indent=1, sort_keys=True, default=str).encode())
        return {form: known[form] * shape.work / kind.work for form in forms}

    def _read_table(self) -> dict[str, dict[str, float]]:
        """Class -> form -> seconds; empty where the file is absent, or damaged."""
        try:
            table = json.loads(self.file.read_text(encoding="utf-8"))["seconds"]
            return {
                str(kind): {str(form): float(value) for form, value in own.items() if float(value) > 0}
                for kind, own in table.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _time_forms(self, kind: Shape, forms: Sequence[str]) -> dict[str, float]:
        """Form -> median over the rounds of the mean of a round's calls."""
        calls = {form: self._prepared(form, kind) for form in forms}
        counts = {form: max(1, round(_SECONDS / _mean(call, 2))) for form, call in calls.items()}
        rounds: Mapping[str, list[float]] = {form: [] for form in forms}
        for _ in range(_ROUNDS):
            for form, call in calls.items():
                rounds[form].append(_mean(call, counts[form]))
        return {form: statistics.median(times) for form, times in rounds.items()}


def _mean(call: Callable[[], object], count: int) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    for _ in range(count):
        call()
    return max((time.perf_counter() - began) / count, 1e-9)


def _round_size(size: int) -> int:
    """The nearest power of two, or one and a half times such a power."""
    low = 1 << (size.bit_length() - 1)
    return min((low, low * 3 // 2 or 1, 2 * low), key=lambda near: abs(near - size))
