"""Dynamic axes of an imported graph: the user's names and bounds for those that the graph leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgekit.core import Axis, TensorSpec
from edgekit.errors import BadInput


@dataclass(frozen=True)
class Open:
    """An axis that a graph leaves open: its least and largest size (None: no bound), the size that it was traced with,
    and the inputs and positions that have it."""

    least: int
    most: int | None
    example: int
    places: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Bounds:
    """The axes of a part by name; the graph's name of each -> the user's, or the size that it is fixed at; notes."""

    axes: Mapping[str, Axis] = field(default_factory=dict)
    names: Mapping[str, str | int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def rename_axes(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """`specs` with these names and sizes."""
        return tuple(
            replace(
                spec, shape=tuple(self.names.get(axis, axis) if isinstance(axis, str) else axis for axis in spec.shape)
            )
            for spec in specs
        )


def apply_bounds(
    axes: Mapping[str, Open], wanted: Mapping[str, tuple[int, int]], inputs: Sequence[TensorSpec]
) -> Bounds:
    """The axes with the user's bounds.

    Args:
        axes: of the graph, by name. wanted: the user's name -> least and largest size (``--dynamic``). A name is an
            axis's own, ``INPUT.POSITION``, or that of an input with a single dynamic axis.
        inputs: of the graph, for messages.

    Raises:
        BadInput: no such axis, or bounds that the graph does not allow.
    """
    chosen: dict[str, tuple[str, tuple[int, int]]] = {}
    for name, limits in wanted.items():
        axis = _axis(name, axes)
        if axis is None:
            raise BadInput(f"there is no dynamic axis {name!r}{_describe_input(name, inputs)}.", hint=_offer(axes))
        chosen[axis] = (name if name.isidentifier() else axis, limits)
    out: dict[str, Axis] = {}
    names: dict[str, str | int] = {}
    notes: list[str] = []
    for axis, held in axes.items():
        called, limits = chosen.get(axis, (axis, (held.least, held.most or 0)))
        if axis in chosen:
            _check(called, limits, held)
        if not limits[1]:
            names[axis] = held.example
            place = " and ".join(f"axis {i} of {name}" for name, i in held.places)
            notes.append(f"{place} is fixed at {held.example}; --dynamic {axis}=1..{4 * held.example} lets it vary")
            continue
        least, most = limits
        if least == most:
            names[axis] = least
            continue
        names[axis] = called
        out[called] = Axis(least, most, min(max(held.example, least), most))
    return Bounds(out, names, notes)


def _axis(name: str, axes: Mapping[str, Open]) -> str | None:
    if name in axes:
        return name
    places = {
        axis: [(tensor, f"{tensor}.{i}", f"{tensor}_{i}") for tensor, i in held.places] for axis, held in axes.items()
    }
    exact = [axis for axis, spoken in places.items() if any(name in names[1:] for names in spoken)]
    loose = [axis for axis, spoken in places.items() if any(name == names[0] for names in spoken)]
    return exact[0] if exact else loose[0] if len(loose) == 1 else None


def _check(name: str, limits: tuple[int, int], held: Open) -> None:
    least, most = limits
    # torch takes sizes of 1 for fixed ones while it traces, and writes 2 for the least size where 1 was meant.
    lowest = 1 if held.least <= 2 else held.least
    if not lowest <= least <= most or (held.most is not None and most > held.most):
        allowed = f"{lowest}..{held.most}" if held.most is not None else f"{lowest} or more"
        raise BadInput(
            f"the axis {name!r} cannot be {least}..{most}: the graph takes {allowed}.",
            hint=f"Such as --dynamic {name}={lowest}..{held.most or 4 * held.example}",
        )


def _describe_input(name: str, inputs: Sequence[TensorSpec]) -> str:
    for spec in inputs:
        if name == spec.name or name.startswith((f"{spec.name}_", f"{spec.name}.")):
            return f": {spec.name} is {spec.dtype} {list(spec.shape)}"
    return ""


def _offer(axes: Mapping[str, Open]) -> str:
    if not axes:
        return "Every axis of this graph is fixed."
    return f"Dynamic axes: {', '.join(sorted(axes))}."
