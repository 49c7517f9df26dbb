"""A cache of its own for every test, but for llama.cpp's libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.llama import library

#: Where they are in the machine's own cache.
LIBRARIES = library.libraries()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    if LIBRARIES:
        monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(LIBRARIES))
    monkeypatch.setenv("EDGEKIT_CACHE", str(place))
    return place
