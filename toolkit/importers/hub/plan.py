"""`Plan`: what is decided about a Hugging Face model before its weights are there; kept as JSON in the cache."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekit.core import Axis, TensorSpec


class Tensor(msgspec.Struct, frozen=True):
    """See `edgekit.core.TensorSpec`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.name, self.dtype, self.shape)


class AxisPlan(msgspec.Struct, frozen=True):
    """See `edgekit.core.Axis`."""

    least: int
    most: int
    example: int

    @property
    def axis(self) -> Axis:
        return Axis(self.least, self.most, self.example)


class PartPlan(msgspec.Struct, frozen=True):
    """A part, and which module it is (`edgekit.importers.hub.networks`) with its settings.

    Attributes:
        module: a key of `networks.MODULES`. settings: its arguments.
    """

    name: str
    module: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    axes: dict[str, AxisPlan] = {}
    settings: dict[str, Any] = {}
    quantize: bool = True


class WorkPlan(msgspec.Struct, frozen=True):
    """See `edgekit.core.Work`."""

    part: str
    kind: str
    macs: int
    weights: int
    channels: int
    tables: int
    layers: int
    activations: int
    quantized: bool = True


class Plan(msgspec.Struct, frozen=True):
    """A model, decided.

    Attributes:
        task: its name. architecture: of config.json. built: the class of transformers that is built; it may be a tower
            of the architecture.
        kind: of its inputs: ``"text"``, ``"picture"``, ``"sound"`` or ``"arrays"``.
        parts: as declared. fixed: for formats that hold no dynamic axis; empty if `parts` have none.
        arguments: of the class, beside its config. spare: prefixes of tensors that `built` leaves out on purpose.
        facts: see `edgekit.core.Weights.prepare`. assets: file names. notes: sentences for people.
    """

    task: str
    architecture: str
    built: str
    kind: str
    parts: tuple[PartPlan, ...]
    fixed: tuple[PartPlan, ...] = ()
    arguments: dict[str, Any] = {}
    spare: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    facts: dict[str, Any] = {}
    assets: tuple[str, ...] = ()
    parameters: int = 0
    works: tuple[WorkPlan, ...] = ()
    notes: tuple[str, ...] = ()
