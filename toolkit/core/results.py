"""The nouns of what was found out: measurements, reports, and what `fit` says. Part of `edgekit.core`, which everybody
imports them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edgekit.core.values import Recipe

#: How a number came to be: on the real thing, on this machine which is the target, in an emulator (right answers and
#: exact counts, never milliseconds), from a model with an error band, or from looking at the file only.
Fidelity = Literal["device", "host", "emulated", "estimated", "structural"]


@dataclass(frozen=True)
class Measurement:
    """Raw values of one quantity. Statistics are derived, never stored.

    Attributes:
        name: such as ``"encoder.latency"``. unit: ``"s"``, ``"B"``, ``"tokens/s"``, ``"1"``.
        values: per process, the values in the order in which they were taken, warm-ups removed.
        warmups: per process, the values that were taken first and thrown out.
        better: which direction is an improvement.
    """

    name: str
    unit: str
    values: tuple[tuple[float, ...], ...]
    warmups: tuple[tuple[float, ...], ...] = ()
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True)
class Report:
    """Everything that a benchmark saw: enough to be compared with another one later.

    Attributes:
        layers: what each layer took, where a device tells: ``{"name": ..., "instructions": [...]}``.
        estimates: what was not measured but computed from what was, as ranges with their basis; never a measurement.
    """

    schema: int
    bundle: Mapping[str, Any]
    fidelity: Fidelity
    host: Mapping[str, Any]
    versions: Mapping[str, str]
    inputs: Sequence[Mapping[str, Any]]
    threads: int
    measurements: tuple[Measurement, ...]
    warnings: tuple[str, ...] = ()
    outputs: Sequence[str] = ()
    layers: tuple[Mapping[str, Any], ...] = ()
    estimates: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Speed:
    """How fast a model is expected to be, with an error band.

    Attributes:
        name: ``"latency"`` of the golden input in all parts, ``"real-time factor"``, ``"generation"`` or ``"prompt"``.
        unit: ``"s"``, ``"1"``, ``"tokens/s"``. value: None where only a range is known. low, high: the band.
        basis: what it rests on, in words.
    """

    name: str
    unit: str
    value: float | None
    low: float
    high: float
    basis: str
    fidelity: Fidelity = "estimated"


@dataclass(frozen=True)
class Fit:
    """The answer of `edgekit fit`: will this model fit that target, before any download.

    Attributes:
        verdict, reason: with the numbers that decide. nearest: the recipe or model nearest to this one that fits.
        size, ram: bytes of the bundle (firmware: flash) and of peak RAM, estimates from declared shapes.
        speed: what is expected of it; empty where nothing was ever measured. unknown: then why.
        budgets: ``"download"``, ``"flash"``, ``"RAM"`` in bytes, where there is one. store: what the store says.
        fidelity: of each figure by its name: ``"estimated"``, or ``"structural"`` where nothing of its family was
            compared with a measurement.
    """

    model: str
    target: str
    recipe: Recipe | None
    verdict: Literal["fits", "too large", "refused"]
    reason: str
    size: int | None = None
    ram: int | None = None
    nearest: str = ""
    speed: tuple[Speed, ...] = ()
    unknown: str = ""
    budgets: Mapping[str, int] = field(default_factory=dict)
    store: str = ""
    fidelity: Mapping[str, Fidelity] = field(default_factory=dict)


def is_synthetic(inputs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of a report's inputs was noise."""
    return any(item.get("synthetic") for item in inputs)
