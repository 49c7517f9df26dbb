"""A model of parts alone: as much of one as an exporter looks at."""

from __future__ import annotations

from typing import Any

from edgekit.core import Costs, Identity, Model, Network, Part, Usage, Weights


def bare_model(*parts: Part, name: str = "toy") -> Model:
    """A model that is nothing but its `parts`: whoever looks at more of it fails."""

    def unused(*_: Any) -> Any:
        raise AssertionError(f"somebody looked at more of the model {name} than its parts")

    return Model(
        Identity(name, "toy", "MIT", ""),
        Weights((), unused),
        Network(parts, 1),
        Usage("toy", "", unused, samples=unused),
        Costs(unused, unused),
    )
