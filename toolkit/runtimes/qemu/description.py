"""The description of generated code: what its caller must know."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgekit.core import TensorSpec
from edgekit.errors import BadInput


def description_of(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """What `describe` wrote of the part `name`, from the files of ``src/``.

    Raises:
        BadInput: it is not there or not readable.
    """
    try:
        facts: dict[str, Any] = json.loads(files[f"{name}.json"])
        for side in ("inputs", "outputs"):
            tensor_specs(facts[side])
        if isinstance(facts["kind"], str) and isinstance(facts["sources"], list):
            return facts
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BadInput(f"{name}.c has no readable description beside it.", hint="Export it again.")


def describe(
    kind: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], sources: Sequence[str], **facts: Any
) -> str:
    """The text of a part's description, which `load` reads; `sources` are the C files that it needs beside its own."""
    specs = {"inputs": [*map(asdict, inputs)], "outputs": [*map(asdict, outputs)]}
    head = {"kind": kind, **specs, "sources": list(sources)}
    return json.dumps({**head, **facts}, indent=1) + "\n"


def tensor_specs(listed: Any) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(str(tensor["name"]), str(tensor["dtype"]), tuple(tensor["shape"])) for tensor in listed)
