"""Package data: files that a model's declaration names (its golden input, its licence)."""

from __future__ import annotations

import importlib.resources
from importlib.resources.abc import Traversable
from pathlib import Path


def read(name: str) -> bytes:
    """Content of a file of the models room, or at an absolute path (for models of other packages)."""
    return stream_of(name).read_bytes()


def size(*names: str) -> int:
    """Total bytes of such files."""
    return sum(len(read(name)) for name in names)


def stream_of(name: str) -> Traversable:
    """Such a file, to be opened."""
    return Path(name) if Path(name).is_absolute() else importlib.resources.files("edgekit.models").joinpath(name)
