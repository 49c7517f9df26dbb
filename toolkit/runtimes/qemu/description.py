"""The description of generated code: what its caller must know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.common.documents import parse_json
from edgekit.core import TensorSpec
from edgekit.formats.descriptions import parse_specs, records_of, refuse_damage


def description_of(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """What `describe` wrote of the part `name`, from the files of ``src/``.

    Raises:
        BadInput: it is not there or not readable.
    """
    with refuse_damage(f"{name}.c has no readable description beside it."):
        facts: dict[str, Any] = parse_json(files[f"{name}.json"], f"{name}.json")
        parse_specs(facts)
        if not isinstance(facts["kind"], str) or not isinstance(facts["sources"], list):
            raise ValueError(name)
        return facts


def describe(
    kind: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], sources: Sequence[str], **facts: Any
) -> str:
    """The text of a part's description, which `load` reads; `sources` are the C files that it needs beside its own."""
    head = {"kind": kind, **records_of(inputs, outputs), "sources": list(sources)}
    return json.dumps({**head, **facts}, indent=1) + "\n"
