"""The locks: every Python has one, with every version that its environment takes and the hashes of its files."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import absent
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHONS = re.findall(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[0].split()
ENTRY = re.compile(r"^([\w.-]+)==(\S+)(?: ; (.*?))? \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", re.MULTILINE)
SYSTEMS = [
    {"platform_system": "Linux", "sys_platform": "linux", "platform_machine": "x86_64", "os_name": "posix"},
    {"platform_system": "Darwin", "sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix"},
]


def locked(python: str, system: dict[str, str]) -> dict[str, str]:
    """Distribution -> the version that this Python takes on a system."""
    versions = {"python_version": python, "python_full_version": f"{python}.0", **system}
    text = (ROOT / "requirements" / f"{python}.lock").read_text("utf-8")
    return {
        name: version
        for name, version, marker, _ in ENTRY.findall(text)
        if not marker or Requirement(f"x; {marker}").marker.evaluate(versions)  # type: ignore[union-attr]
    }


def needed(extra: str) -> Iterator[Requirement]:
    """What an extra brings, and those that it stands on."""
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        if requirement.name != PROJECT["name"]:
            yield requirement
        for inner in requirement.extras if requirement.name == PROJECT["name"] else ():
            yield from needed(inner)


def test_these_pythons_are_supported() -> None:
    assert PYTHONS == ["3.11", "3.12", "3.13", "3.14"]
    assert sorted(path.name for path in (ROOT / "requirements").glob("*.lock")) == [f"{one}.lock" for one in PYTHONS]


@pytest.mark.parametrize("system", SYSTEMS, ids=["linux", "macos"])
@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_holds_all_that_is_installed(python: str, system: dict[str, str]) -> None:
    versions = locked(python, system)
    wanted = [*map(Requirement, PROJECT["dependencies"]), *needed("dev"), Requirement("scikit-build-core")]
    for requirement in wanted:
        marker = requirement.marker
        if marker is None or marker.evaluate({"python_version": python, "extra": "", **system}):
            name = requirement.name.lower().replace("_", "-")
            assert requirement.specifier.contains(versions[name], prereleases=True), requirement


@pytest.mark.parametrize("name", [*(f"{one}.lock" for one in PYTHONS), "uv.txt"])
def test_every_file_has_a_hash_and_no_host_is_named(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    assert "".join(match[0] for match in ENTRY.finditer(text)) == text, "nothing but versions with hashes"
    assert "://" not in text and "edgekit" not in text


# ------------------------------------------------------------------------------------ what the environment is made with


def uv(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("uv")
    if not program.exists():
        absent("this environment was not made by make .venv/.wheel: it has no uv")
    return subprocess.run([program, *arguments], capture_output=True, text=True)


def wheel(folder: Path, name: str, requires: str = "") -> str:
    """A wheel with nothing in it; its sha256."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n" + (
        f"Requires-Dist: {requires}\n" if requires else ""
    )
    files = {"METADATA": metadata, "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = ""
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name}-1.dist-info/{file},sha256={digest},{len(text)}\n"
            archive.writestr(f"{name}-1.dist-info/{file}", text)
        archive.writestr(f"{name}-1.dist-info/RECORD", f"{record}{name}-1.dist-info/RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("changed", [None, "first", "second"])
def test_another_file_than_the_locked_one_is_refused(changed: str | None, tmp_path: Path) -> None:
    """As the Makefile asks: ranges of the project, the lock as constraints. The second is needed by the first alone."""
    hashes = {"second": wheel(tmp_path, "second"), "first": wheel(tmp_path, "first", "second")}
    if changed:
        hashes[changed] = hashlib.sha256(b"another file").hexdigest()
    (tmp_path / "lock").write_text("".join(f"{name}==1 --hash=sha256:{digest}\n" for name, digest in hashes.items()))
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\ndependencies = ["first>=0.1"]\n')
    done = uv(
        *("pip", "install", "--no-index", "--no-cache", "--find-links", tmp_path, "--target", tmp_path / "there"),
        *("--constraint", tmp_path / "lock", "--requirements", tmp_path / "pyproject.toml"),
    )
    assert (done.returncode == 0) == (changed is None), done.stderr
    assert changed is None or ("Hash mismatch" in done.stderr and f"{changed}==1" in done.stderr)


@pytest.mark.parametrize(
    ("python", "told"),
    [
        ('case "$2" in *version*) echo 3.10;; esac', "edgekit has locks for Python 3.11 3.12 3.13 3.14"),
        (
            'case "$2" in *version*) echo 3.13;; *ensurepip*) exit 1;; esac',
            "apt-get install python3-venv, or: make python-tools",
        ),
        (
            'case "$2" in *version*) echo 3.14;; esac; test "$1" != -m',
            "3.14: its packages are resolved; edgekit was not tried",
        ),
    ],
    ids=["an old Python", "without ensurepip", "a Python that was not tried"],
)
def test_a_python_that_will_not_do_is_told_at_once(python: str, told: str, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o755)
    place = tmp_path / "environment"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", f"PYTHON={program}", f"VENV={place}", f"{place}/bin/uv"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and told in done.stdout + done.stderr
    assert not place.exists()
