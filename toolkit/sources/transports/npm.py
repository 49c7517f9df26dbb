"""Data files in npm packages, which the user's npm downloads.

npm knows this machine's registry, proxies, certificates and credentials, so edgekit need not. It checks the tarball
against what the registry says of it. The tarball is read, never unpacked: no script of it runs, and only one member is
written, under a name that we choose.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from edgekit.errors import FetchFailed, MissingExtra
from edgekit.sources.transports.clients import Packages, copy_member, last_word, run_client
from edgekit.sources.transports.contract import Bounds

# As npm names packages: with or without the scope of their owner, and no argument of npm's.
_TARBALL = re.compile(r"npm://((?:@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*)@([0-9][A-Za-z0-9.+-]*)/(.+)")
#: More members than any package that we read has.
_MOST_MEMBERS = 100_000


class Tarballs(Packages):
    """Members of npm packages, below the top folder of their tarballs."""

    schemes = ("npm",)
    form = "npm://NAME@VERSION/path/inside/the/tarball"
    pattern = _TARBALL

    def get(self, piece: str, out: Path, bounds: Bounds) -> None:
        name, version, member = self._parse_uri(piece)
        wanted = (name, version)
        if wanted not in self._have:
            self._have[wanted] = self._download(f"{name}@{version}")
        what = f"the package {name}@{version}"
        try:
            with tarfile.open(self._have[wanted], "r|gz") as tarball:
                _extract(tarball, what, member, out, bounds.limit, bounds.tick)
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as exc:
            raise FetchFailed(f"{what} is damaged: {exc}") from exc

    def _download(self, requirement: str) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            raise MissingExtra(
                f"{requirement} is downloaded with npm, which is not installed.",
                hint="Install it with: apt-get install npm (or from your system's packages)",
            )
        folder = self._fresh()
        command = [npm, "pack", requirement, "--pack-destination", str(folder), "--cache", str(folder / "cache")]
        command += ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
        try:
            # In its own folder: the settings of a project that we happen to stand in are not the user's.
            run_client(command, folder, os.environ, f"downloading {requirement}", self._tell, at=folder)
        except FetchFailed as exc:
            raise FetchFailed(_reason(requirement, exc.message)) from exc
        tarballs = list(folder.glob("*.tgz"))
        if len(tarballs) != 1:
            raise FetchFailed(f"npm downloaded {len(tarballs)} packages for {requirement} where one was expected")
        shutil.rmtree(folder / "cache", ignore_errors=True)
        return tarballs[0]


def _reason(requirement: str, log: str) -> str:
    """npm says a code first, then the reason, then advice and the place of its log."""
    lines = [line.removeprefix("npm ERR! ").removeprefix("npm error ").strip() for line in log.splitlines()]
    _, said = last_word(next((line for line in lines if line and not line.startswith("code ")), ""))
    return f"npm could not download {requirement}: {said}"


def _extract(
    tarball: tarfile.TarFile, what: str, member: str, out: Path, limit: int, tick: Callable[[int], None]
) -> None:
    for count, info in enumerate(tarball):
        if count > _MOST_MEMBERS:
            break
        if info.name.partition("/")[2] != member:
            continue
        source = tarball.extractfile(info) if info.isreg() else None
        if source is None:
            raise FetchFailed(f"{member} in {what} is not a plain file")
        if info.size > limit:
            raise FetchFailed(f"{member} in {what} has {info.size} bytes, but at most {limit} were expected")
        if copy_member(source, out, tick) != info.size:
            raise FetchFailed(f"{member} in {what} is cut off")
        return
    raise FetchFailed(f"{what} has no file {member}")


TRANSPORT = Tarballs
