"""What the kinds of input share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core import Axis, Facts, ImportOptions
from edgekit.errors import BadInput, Unsupported
from edgekit.importers.hub.repository import Repository

#: More classes than any classifier has.
_MOST_LABELS = 1 << 20


def axes_of(options: ImportOptions, own: Mapping[str, Axis]) -> dict[str, Axis]:
    """The dynamic axes with the user's bounds. Raises BadInput for an axis that does not exist, or bounds beyond it."""
    axes = dict(own)
    for name, (least, most) in options.axes.items():
        if name not in own:
            has = f"it has {', '.join(map(repr, own))}" if own else "it has none"
            raise BadInput(f"there is no dynamic axis {name!r}: {has}.", hint="Leave --dynamic out.")
        if not 1 <= least < most:
            raise BadInput(
                f"the axis {name!r} cannot go from {least} to {most}.", hint=f'Such as: --dynamic "{name}=1..128"'
            )
        axes[name] = Axis(least, most, max(least, min(most, own[name].example)))
    return axes


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes, in order. Raises BadInput if they are not numbered from 0."""
    named = config.get("id2label")
    if named is None:
        count = int(config.get("num_labels") or 2)
        if not 1 <= count <= _MOST_LABELS:
            raise BadInput(f"config.json says that there are {count} labels.")
        return tuple(f"LABEL_{i}" for i in range(count))
    if not isinstance(named, dict) or sorted(map(str, named)) != sorted(str(i) for i in range(len(named))) or not named:
        raise BadInput("config.json has an id2label that is not numbered from 0.")
    return tuple(str({str(key): value for key, value in named.items()}[str(i)]) for i in range(len(named)))


def first(config: Facts, *names: str) -> int | str:
    """The first of these settings that is a positive number; "?" if none is."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return "?"


def preprocessing_of(repository: Repository, kind: str) -> Mapping[str, Any]:
    """What preprocessor_config.json says. `kind`: of the samples, for the message. Raises Unsupported without it."""
    stated = repository.json("preprocessor_config.json")
    if not isinstance(stated, dict):
        raise Unsupported(
            f"{repository.source} has no preprocessor_config.json: it does not state how a {kind} becomes its input.",
            hint="As arrays in, arrays out: --task tensors",
        )
    return stated


def side_of(value: Any) -> tuple[int, int] | None:
    """Height and width of a setting in one of the forms that transformers writes; None for another."""
    if isinstance(value, int):
        return value, value
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(side, int) for side in value):
        return int(value[0]), int(value[1])
    if isinstance(value, dict):
        if isinstance(value.get("height"), int) and isinstance(value.get("width"), int):
            return value["height"], value["width"]
        if isinstance(value.get("shortest_edge"), int):
            return value["shortest_edge"], value["shortest_edge"]
    return None
