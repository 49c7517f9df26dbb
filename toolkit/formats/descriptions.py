"""The inputs and outputs of a part in JSON, beside its file or inside: facts for which formats have no place.

Files have a record of name, dtype and shape for each tensor; packages that hold their description have rows of these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgekit.core import TensorSpec
from edgekit.errors import BadInput

#: Names, dtypes and shapes of inputs and outputs, in the file's order.
Specs = tuple[Sequence[TensorSpec], Sequence[TensorSpec]]
_SIDES = ("inputs", "outputs")


def records_of(*sides: Sequence[TensorSpec]) -> dict[str, list[dict[str, Any]]]:
    """Inputs and outputs as ``{"inputs": [{"name", "dtype", "shape"}, ...], "outputs": [...]}``."""
    return {name: [*map(asdict, specs)] for name, specs in zip(_SIDES, sides, strict=True)}


def rows_of(*sides: Sequence[TensorSpec]) -> dict[str, list[list[Any]]]:
    """Inputs and outputs as ``{"inputs": [[name, dtype, shape], ...], "outputs": [...]}``."""
    return {
        name: [[spec.name, spec.dtype, list(spec.shape)] for spec in specs]
        for name, specs in zip(_SIDES, sides, strict=True)
    }


def parse_specs(facts: Mapping[str, Any]) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of records or of rows. Raises ValueError, KeyError or TypeError for anything else."""
    inputs, outputs = (tuple(map(_spec, facts[side])) for side in _SIDES)
    return inputs, outputs


@contextlib.contextmanager
def refuse_damage(message: str) -> Iterator[None]:
    """Raises BadInput with this message where a description that is read in the block lacks what it needs."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as exc:
        raise BadInput(message, hint="Export it again.") from exc


def _spec(entry: Any) -> TensorSpec:
    name, dtype, shape = (entry[key] for key in ("name", "dtype", "shape")) if isinstance(entry, dict) else entry
    if not isinstance(shape, list) or not all(isinstance(axis, int | str) for axis in shape):
        raise ValueError("a shape is a list of sizes and names")
    return TensorSpec(str(name), str(dtype), tuple(shape))
