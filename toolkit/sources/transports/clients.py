"""Clients of package registries (pip, npm), run with the user's settings for mirrors, proxies and credentials."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.core import Progress
from edgekit.errors import FetchFailed
from edgekit.sources.transports.contract import Transport

_POLL = 0.2  # seconds between two looks at the client


class Packages(Transport):
    """Files out of packages, each package downloaded once into a folder of its own."""

    def __init__(self, folder: Path, tell: Progress) -> None:
        super().__init__(folder, tell)
        self._have: dict[tuple[str, ...], Path] = {}

    def _fresh(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._folder))


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
