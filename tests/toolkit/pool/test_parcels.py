"""Files that travel to a worker: a shared disk, the cache, an archive, and archives from outside."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest

from edgekit.errors import BadInput
from edgekit.pool import parcels


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "data" / "deep" / "b.txt").write_text("b")
    (tmp_path / "net.onnx").write_text("network")
    (tmp_path / "net.onnx.data").write_text("weights")
    return tmp_path


def test_a_shared_disk_needs_no_payload(folder: Path) -> None:
    assert parcels.receive_parcels([parcels.parcel(folder / "data")], None) == [folder / "data"]


def test_what_is_elsewhere_travels_once_and_keeps_its_name(folder: Path) -> None:
    sent = [parcels.parcel(folder / "data"), parcels.parcel(folder / "net.onnx", [folder / "net.onnx.data"])]
    payload = parcels.pack_parcels(sent)
    shutil.rmtree(folder / "data")
    (folder / "net.onnx.data").write_text("other weights")
    assert parcels.receive_parcels(sent, None) is None
    places = parcels.receive_parcels(sent, payload)
    assert places is not None and [place.name for place in places] == ["data", "net.onnx"]
    assert (places[0] / "deep" / "b.txt").read_text() == "b"
    assert places[1].with_name("net.onnx.data").read_text() == "weights"
    assert parcels.receive_parcels(sent, None) == places, "they are kept"


def test_another_content_is_another_parcel(folder: Path) -> None:
    before = parcels.parcel(folder / "data")
    (folder / "data" / "a.txt").write_text("A")
    assert parcels.parcel(folder / "data").digest != before.digest
    assert parcels.receive_parcels([before], None) is None


def test_too_much_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "MOST", 1)
    with pytest.raises(BadInput, match="too much to send") as caught:
        parcels.pack_parcels([parcels.parcel(folder / "data")])
    assert "a disk that the workers share" in caught.value.hint


def test_an_archive_stays_in_the_cache(folder: Path, cache: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../outside.txt", "x")
    with pytest.raises(BadInput, match="files outside"):
        parcels.receive_parcels([], buffer.getvalue())
    assert not list(folder.rglob("outside.txt"))


def test_a_damaged_parcel_of_the_cache_is_asked_for_again(folder: Path, cache: Path) -> None:
    sent = [parcels.parcel(folder / "data")]
    payload = parcels.pack_parcels(sent)
    shutil.rmtree(folder / "data")
    (place,) = parcels.receive_parcels(sent, payload) or [folder]
    (place / "deep" / "b.txt").write_text("damaged")
    assert parcels.receive_parcels(sent, None) is None
    assert parcels.receive_parcels(sent, payload) == [place]
    assert (place / "deep" / "b.txt").read_text() == "b"


def test_what_is_not_what_was_sent_is_refused(folder: Path, cache: Path) -> None:
    sent = parcels.parcel(folder / "data")
    (folder / "data" / "a.txt").write_text("changed while it was packed")
    payload = parcels.pack_parcels([sent])
    shutil.rmtree(folder / "data")
    with pytest.raises(BadInput, match="not what was sent"):
        parcels.receive_parcels([sent], payload)
    assert parcels.receive_parcels([sent], None) is None
