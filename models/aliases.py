"""Models that are data, such as a name for an address: the tables of aliases.toml, as declarations."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib

from edgekit.core import Model
from edgekit.formats.gguf.language import language_model
from edgekit.formats.gguf.shapes import Shape


@functools.cache
def alias(name: str) -> Model:
    """The declaration of the model that the table `name` describes: a language model, or a phrase of microWakeWord."""
    file = importlib.resources.files("edgekit.models").joinpath("aliases.toml")
    facts = tomllib.loads(file.read_text("utf-8"))[name]
    if "wakeword" in facts:
        from edgekit.models.keyword import chips, phones

        return phones.ready_wakeword_model(chips.wakeword_model(name, **facts["wakeword"]))
    sizes = facts.pop("shape")
    shape = Shape(**{**sizes, "names": tuple(sizes.get("names", ()))})
    return language_model(name, shape, facts.pop("licence"), facts.pop("licence_text"), **facts)
