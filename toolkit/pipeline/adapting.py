"""Weights with an adapter: merged beside the bundle, for as long as the export takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.core import Progress
from edgekit.formats.adapters import merge_adapter, read_adapter


@contextmanager
def weights_with_adapter(weights: Path, adapter: str | None, place: Path, tell: Progress) -> Iterator[tuple[Path, str]]:
    """`weights` with the adapter in the folder `adapter`, and its name; unchanged and "" without one.

    Raises:
        BadInput, Unsupported: see `edgekit.formats.adapters`.
    """
    if adapter is None:
        yield weights, ""
        return
    read = read_adapter(Path(adapter).expanduser())
    tell(f"merging the adapter {read.name}", 0, 0)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside the bundle: the system's folder for temporary files is often memory.
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as parent:
        folder = Path(parent) / weights.name
        folder.mkdir()
        merge_adapter(weights, read, folder)
        yield folder, read.name
