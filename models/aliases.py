"""Models that are a name for an address and nothing else: the tables of aliases.toml, as declarations."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib

from edgekit.core import Model
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape


@functools.cache
def alias(name: str) -> Model:
    """The declaration of the language model that the table `name` describes."""
    file = importlib.resources.files("edgekit.models").joinpath("aliases.toml")
    facts = tomllib.loads(file.read_text("utf-8"))[name]
    sizes = facts.pop("shape")
    shape = Shape(**{**sizes, "names": tuple(sizes.get("names", ()))})
    return language_model(name, shape, facts.pop("licence"), facts.pop("licence_text"), **facts)
