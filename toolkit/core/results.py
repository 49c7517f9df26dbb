"""Types of results: measurements, reports, and answers of `fit`. Part of `edgekit.core`, from which all modules
import them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgekit.core.values import Facts

if TYPE_CHECKING:
    from edgekit.core.values import Recipe

#: Origin of a number: the real device, this machine as the target, an emulator (right answers and
#: exact counts, never milliseconds), a model with an error band, or the structure of the file.
Fidelity = Literal["device", "host", "emulated", "estimated", "structural"]


@dataclass(frozen=True)
class Measurement:
    """Raw values of a quantity. Statistics are derived, never stored.

    Attributes:
        name: such as ``"encoder.latency"``. unit: ``"s"``, ``"B"``, ``"tokens/s"``, ``"1"``.
        values: per process, the values in the order of measurement, warm-ups removed.
        warmups: per process, the first values, which are discarded.
        better: which direction is an improvement.
    """

    name: str
    unit: str
    values: tuple[tuple[float, ...], ...]
    warmups: tuple[tuple[float, ...], ...] = ()
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True)
class Report:
    """The result of a benchmark, complete enough for later comparisons.

    Attributes:
        layers: instructions per layer, if the device counts them: ``{"name": ..., "instructions": [...]}``.
        estimates: ranges computed from measurements, with their basis; never measurements themselves.
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
    """The expected speed of a model, with an error band.

    Attributes:
        name: ``"latency"`` of the golden input in all parts, ``"real-time factor"``, ``"generation"`` or ``"prompt"``.
        unit: ``"s"``, ``"1"``, ``"tokens/s"``. value: None if only a range is known. low, high: the band.
        basis: where the estimate comes from, in words.
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
    """The answer of `edgekit fit`: whether a model fits a target, before any download.

    Attributes:
        verdict, reason: with the numbers that decide. nearest: the nearest recipe or model that fits.
        size, ram: bytes of the bundle (firmware: flash) and of peak RAM, estimates from declared shapes.
        speed: the expected speeds; empty without past measurements. unknown: why they are missing.
        budgets: ``"download"``, ``"flash"``, ``"RAM"`` in bytes, if limited. store: the app store's rule on downloads.
        fidelity: of each figure by its name: ``"estimated"``, or ``"structural"`` if nothing of its family was
            compared with a measurement.
        note: of the model, see `edgekit.core.Identity`.
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
    note: str = ""


def is_synthetic(inputs: Sequence[Facts]) -> bool:
    """Whether any of a report's inputs is noise."""
    return any(item.get("synthetic") for item in inputs)
