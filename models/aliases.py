"""Models that are a name for an address and nothing else: the tables of aliases.toml, as declarations."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from typing import Any

from edgekit.core import Model
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape


@functools.cache
def alias(name: str) -> Model:
    """The declaration of the language model that the table `name` describes."""
    facts = dict(_tables()[name])
    return language_model(name, _shape(facts.pop("shape")), facts.pop("licence"), facts.pop("licence_text"), **facts)


def _tables() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(importlib.resources.files("edgekit.models").joinpath("aliases.toml").read_text("utf-8"))


def _shape(facts: Mapping[str, Any]) -> Shape:
    return Shape(**{**facts, "names": tuple(facts.get("names", ()))})
