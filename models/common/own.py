"""Weights of edgekit's own, which `make train` makes and the package carries."""

from __future__ import annotations

from edgekit.core import Source, SourceFile

_FOLDER = "edgekit://data/weights"


def own_file(place: str, sha256: str, size: int, name: str = "") -> SourceFile:
    """A file of the package's folder of weights.

    Args:
        place: its name there. size: in bytes. name: what a checkpoint calls it, if not that.
    """
    return SourceFile(name or place, sha256, size, (f"{_FOLDER}/{place}",))


def own_source(*files: SourceFile, licence: str = "Apache-2.0") -> Source:
    """Such files as the weights of a model."""
    return Source(uri=_FOLDER, revision="1", licence=licence, files=files)
