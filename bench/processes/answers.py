"""What became of a measured process. Only the standard library: the worker imports it while its load is timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["failed", "crashed", "hung", "out of memory", "not measured"]


@dataclass(frozen=True)
class Failure:
    """Why a process has no result. `type` is an exception's class name."""

    outcome: Outcome
    message: str
    type: str
    hint: str


@dataclass
class Answer:
    """A process's result, JSON-able.

    Attributes:
        values, warmups: by measurement name. section: what the machine did meanwhile (seconds, and numbers).
        peak: bytes, or None. outputs: of the first measured round, as texts. differing: indices of inputs whose output
            changed between rounds. steady: whether the warm-up settled. calls: how many calls one value is the mean of.
        rounds: measured ones. dropped: readings that were none (a clock that went backwards).
        rejected, doubtful: of a language model, values that were thrown out, and names whose values are partly such.
        exit: the code that it ended with. state: `edgekit.bench.machine.host.state` before and after.
        failure: why all else is empty.
    """

    values: dict[str, list[float]]
    section: dict[str, float]
    peak: int | None = None
    warmups: dict[str, list[float]] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    differing: Sequence[int] = ()
    steady: bool = True
    calls: int = 1
    rounds: int = 0
    dropped: int = 0
    rejected: dict[str, list[float]] = field(default_factory=dict)
    doubtful: Sequence[str] = ()
    exit: int = 0
    state: Sequence[dict[str, Any]] = ()
    failure: Failure | None = None


def failure(outcome: Outcome, message: str, hint: str, kind: str = "DeviceFailed") -> Answer:
    """The answer of a process without a result."""
    return Answer({}, {}, failure=Failure(outcome, message, kind, hint))
