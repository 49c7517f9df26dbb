"""A mirror: pinned files by their content, before any network, and nothing that only has their name."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from helpers.pages.server import Site, serving
from helpers.toys.toys import BODY, leftovers, pinned, source

from edgekit.core import SourceFile
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources import fetch

FAR = "https://nowhere.invalid/w.bin"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache and a mirror of the test's own, no setting of this machine."""
    (tmp_path / "mirror" / "deep").mkdir(parents=True)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGEKIT_MIRROR", str(tmp_path / "mirror"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.setenv("EDGEKIT_OFFLINE", "1")


@pytest.mark.parametrize("pieces", [(FAR,), (FAR, FAR + "2"), ()], ids=["one piece", "two", "no public address"])
def test_a_pinned_file_is_taken_by_its_content_under_any_name(tmp_path: Path, pieces: tuple[str, ...]) -> None:
    held = tmp_path / "mirror" / "deep" / "of another name"
    held.write_bytes(BODY)
    held.chmod(stat.S_IREAD)
    (tmp_path / "mirror" / "as large").write_bytes(bytes(len(BODY)))
    folder, _ = fetch([source(pinned(*pieces))])
    assert (folder / "w.bin").read_bytes() == BODY and leftovers(tmp_path) == ["w.bin"]
    assert (folder / "w.bin").stat().st_mode & stat.S_IWUSR
    (folder / "w.bin").write_bytes(b"damaged")  # the mirror itself stays as it is
    assert held.read_bytes() == BODY
    assert (fetch([source(pinned(*pieces))])[0] / "w.bin").read_bytes() == BODY


def test_the_argument_goes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "w").write_bytes(BODY)
    assert (fetch([source(pinned(FAR))], mirror=tmp_path / "other")[0] / "w.bin").read_bytes() == BODY


def test_a_wrong_file_under_a_right_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror" / "w.bin").write_bytes(bytes(len(BODY)))
    with serving(Site(files={"/w.bin": BODY})) as site:
        wanted = source(pinned(f"{site.url}/w.bin"))
        with pytest.raises(FetchFailed, match="this is offline") as caught:
            fetch([wanted])
        said = f"The mirror {tmp_path / 'mirror'} does not hold w.bin (sha256 {wanted.files[0].sha256})."
        assert said in caught.value.message and site.requests == []
        monkeypatch.delenv("EDGEKIT_OFFLINE")
        assert (fetch([wanted])[0] / "w.bin").read_bytes() == BODY
        assert len(site.requests) == 1


def test_only_what_the_mirror_lacks_comes_from_afar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror" / "a").write_bytes(b"small")
    monkeypatch.delenv("EDGEKIT_OFFLINE")
    with serving(Site(files={"/w.bin": BODY})) as site:
        files = (pinned(f"{site.url}/small", body=b"small", name="small"), pinned(f"{site.url}/w.bin"))
        folder, _ = fetch([source(*files)])
        assert (folder / "small").read_bytes() == b"small" and (folder / "w.bin").read_bytes() == BODY
        assert [path for path, _ in site.requests] == ["/w.bin"]


def test_a_source_that_the_mirror_holds_goes_before_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror" / "a").write_bytes(b"small")
    monkeypatch.delenv("EDGEKIT_OFFLINE")
    with serving(Site(files={"/w.bin": BODY})) as site:
        near = source(pinned(body=b"small"), uri="test://near")
        assert fetch([source(pinned(f"{site.url}/w.bin")), near])[1] is near
        assert site.requests == []


def test_what_nobody_pinned_is_not_looked_up(tmp_path: Path) -> None:
    (tmp_path / "mirror" / "w.bin").write_bytes(BODY)
    with pytest.raises(FetchFailed, match="this is offline"):
        fetch([source(SourceFile("w.bin", None, None, (FAR,)))])


def test_a_file_without_an_address_needs_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKIT_OFFLINE")
    with pytest.raises(FetchFailed, match=r"no public address of w\.bin is known: it can only come from a mirror"):
        fetch([source(pinned())])


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_mirror_that_is_not_there_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    absent = tmp_path / "absent"
    if by == "environment":
        monkeypatch.setenv("EDGEKIT_MIRROR", str(absent))
    with pytest.raises(BadInput, match=r"there is no mirror folder .*absent"):
        fetch([source(pinned(FAR))], mirror=absent if by == "argument" else None)


def test_the_current_folder_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "w.bin").write_bytes(BODY)
    monkeypatch.chdir(tmp_path / "here")
    for piece in ("../w.bin", str(tmp_path / "w.bin"), (tmp_path / "w.bin").as_uri()):
        with pytest.raises(FetchFailed):
            fetch([source(pinned(piece))])
    monkeypatch.delenv("EDGEKIT_OFFLINE")
    with pytest.raises(FetchFailed, match="a path is not a pinned address"):
        fetch([source(pinned("../w.bin"))])
