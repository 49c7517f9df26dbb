"""Folders of small networks of transformers, written once a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.hub.architectures import ARCHITECTURES, write


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of an architecture -> its folder."""
    written: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in written:
            place = tmp_path_factory.mktemp("network") / name.replace(" ", "-").lower()
            write(next(entry for entry in ARCHITECTURES if entry.name == name), place)
            written[name] = place
        return written[name]

    return folder


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache of this run's own."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path_factory.getbasetemp() / "imports"))
