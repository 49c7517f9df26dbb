"""The type of families: networks of which every checkpoint can be declared by its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.core.model import Model, Usage


@dataclass(frozen=True)
class Member:
    """A checkpoint of a family: a folder, or an address of a hub.

    Attributes:
        name: for bundles. address: where its files are, see `edgekit.core.Weights.hub`.
        config: of config.json. generation: of generation_config.json, {} if there is none.
        licence: SPDX identifier or words. licence_text: absolute path, or "". importer: name of the importer.
    """

    name: str
    address: str
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    licence: str
    licence_text: str
    importer: str


@dataclass(frozen=True)
class Family:
    """Networks that are written by hand for a family, whatever the sizes of a checkpoint. A package below `models/`
    declares it as ``FAMILY``; an importer uses it in place of the network that transformers has.

    Attributes:
        architectures: classes of transformers, as ``config.json`` names them.
        usage: the only task, and the differences from its defaults, as every declaration has them; it opens a bundle
            whose source is gone.
        declare: a member -> its declaration; raises BadInput for settings that make no network, and Unsupported for
            a variant that the family's network cannot compute.
    """

    architectures: tuple[str, ...]
    usage: Usage
    declare: Callable[[Member], Model]
