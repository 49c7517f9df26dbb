"""`Plan`: what is decided about a Hugging Face model before its weights are there; kept as JSON in the cache."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekit.core import Axis, TensorSpec, Work


class PartPlan(msgspec.Struct, frozen=True):
    """A part, and which module it is (`edgekit.importers.hub.networks`) with its settings.

    Attributes:
        module: a key of `networks.MODULES`. settings: its arguments.
    """

    name: str
    module: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    axes: dict[str, Axis] = {}
    settings: dict[str, Any] = {}
    quantize: bool = True


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
    works: tuple[Work, ...] = ()
    notes: tuple[str, ...] = ()
