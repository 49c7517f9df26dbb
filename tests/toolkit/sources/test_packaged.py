"""``edgekit://``: files of edgekit itself, which need no connection, and are checked like any other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgekit.common import package_data
from edgekit.core import Source, SourceFile
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import fetch, user_source

PLACE = "data/licences/fashion-licence.txt"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEKIT_MIRROR", raising=False)
    monkeypatch.setenv("EDGEKIT_OFFLINE", "1")


def wanted(place: str, data: bytes) -> Source:
    file = SourceFile("w.txt", hashlib.sha256(data).hexdigest(), len(data), (f"edgekit://{place}",))
    return Source("edgekit://data", "1", "Apache-2.0", (file,))


def test_a_file_of_edgekit_needs_no_connection() -> None:
    data = package_data.read(PLACE)
    folder, source = fetch([wanted(PLACE, data)])
    assert (folder / "w.txt").read_bytes() == data and source.files[0].name == "w.txt"


def test_another_file_than_the_pinned_one_is_refused() -> None:
    data = package_data.read(PLACE)
    with pytest.raises(FetchFailed, match="is not the pinned file"):
        fetch([wanted(PLACE, bytes(len(data)))])
    with pytest.raises(FetchFailed, match="at most 3 were expected"):
        fetch([wanted(PLACE, b"abc")])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FetchFailed, match=r"edgekit has no file data/nothing\.bin"):
        fetch([wanted("data/nothing.bin", b"abc")])


@pytest.mark.parametrize("place", ["../core/task.py", "/etc/hostname", ""])
def test_no_address_leaves_the_models(place: str) -> None:
    with pytest.raises(BadInput):
        fetch([wanted(place, b"abc")])


def test_a_user_may_name_one() -> None:
    source = user_source(f"edgekit://{PLACE}")
    assert isinstance(source, Source) and source.files[0].name == "fashion-licence.txt"
