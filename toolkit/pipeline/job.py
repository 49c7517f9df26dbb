"""A job: what was asked for, every name resolved and every folder opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.core import (
    Model,
    Recipe,
    Sample,
    Target,
)

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """What was asked for, every name resolved and every folder opened."""

    model: Model
    target: Target
    recipe: Recipe
    calibration: Sequence[Sample]
    samples: Sequence[Sample]
    data: str
    offline: bool
    fallback: bool
    operating: Mapping[str, Any] = field(default_factory=dict)
    auto: bool = False
    mirror: str | Path | None = None
