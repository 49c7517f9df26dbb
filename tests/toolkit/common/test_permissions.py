"""Permissions of what is written: what the user's umask leaves, neither more nor less."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.bundles.staging import staging_folder
from edgekit.common.files import write_whole


@pytest.fixture(params=[0o077, 0o027, 0o022, 0o002], ids=oct)
def mask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_file(mask: int, tmp_path: Path) -> None:
    for content in (b"new", b"replaced"):
        write_whole(tmp_path / "deep" / "file", content)
        assert stat.S_IMODE((tmp_path / "deep" / "file").stat().st_mode) == 0o666 & ~mask
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_a_bundle(mask: int, tmp_path: Path) -> None:
    with staging_folder(tmp_path / "bundle") as work:
        write_whole(work / "manifest.json", b"{}")
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((tmp_path / "bundle" / "manifest.json").stat().st_mode) == 0o666 & ~mask
