"""The description of generated code: what its caller must know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import TensorSpec
from edgekit.errors import BadInput
from edgekit.formats.descriptions import parse_specs, records_of


def description_of(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """What `describe` wrote of the part `name`, from the files of ``src/``.

    Raises:
        BadInput: it is not there or not readable.
    """
    try:
        facts: dict[str, Any] = json.loads(files[f"{name}.json"])
        parse_specs(facts)
        if isinstance(facts["kind"], str) and isinstance(facts["sources"], list):
            return facts
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadInput(f"{name}.c has no readable description beside it.", hint="Export it again.")


def describe(
    kind: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], sources: Sequence[str], **facts: Any
) -> str:
    """The text of a part's description, which `load` reads; `sources` are the C files that it needs beside its own."""
    head = {"kind": kind, **records_of(inputs, outputs), "sources": list(sources)}
    return json.dumps({**head, **facts}, indent=1) + "\n"
