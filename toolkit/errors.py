"""The error tree, with the exit code of each error.

::

    EdgekitError                    1
    ├── UnknownName                 2   no such model, target, exporter, precision ("did you mean")
    ├── Unsupported                 2   known, but not possible here (lists what is)
    ├── BadInput                    2   a file, folder or value from outside that cannot be used
    │   ├── UnknownOption           2   no such option of this pipeline (lists what there is)
    │   └── CannotRun               2   a runtime refuses a network, or a call of it
    ├── MissingExtra                3   an optional dependency is absent (gives the install line)
    ├── FetchFailed                 3   weights could not be had, or are not the pinned ones
    ├── ExportFailed                4   the exporter could not write the artefact
    ├── ParityFailed                5   the artefact does not compute what the reference computes
    ├── GateFailed                  5   the artefact is less accurate than allowed
    ├── OverBudget                  6   too large for the target (both numbers)
    ├── Regression                  7   a measurement got worse than `compare` accepts
    └── DeviceFailed                8   a phone, emulator or board failed

Every message says what happened and why, and ``hint`` holds the next command to type. Foreign exceptions are mapped
at the place that knows what they mean, with ``raise ... from exc``; `boundary` maps the few that can happen anywhere.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import sys
from collections.abc import Callable, Iterable, Iterator

__all__ = ["DISTRIBUTION", "BadInput", "CannotRun", "DeviceFailed", "EdgekitError", "ExportFailed", "FetchFailed"]
__all__ += ["GateFailed", "MissingExtra", "OverBudget", "ParityFailed", "Regression", "UnknownName", "UnknownOption"]
__all__ += ["Unsupported", "boundary", "install_command", "need", "run_command"]


class EdgekitError(Exception):
    """Base of all errors that edgekit raises on purpose.

    Args:
        message: what happened and why, in a sentence or two.
        hint: what to do next, if possible a command to type.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UnknownName(EdgekitError):
    """A name that no registry entry has."""

    exit_code = 2

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownName:
        """The error for `name`, with the nearest known names, or all of them if none is similar."""
        known = sorted(known)
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known) or 'none'}."
        return cls(f"there is no {kind} named {name!r}.", hint=hint)


class Unsupported(EdgekitError):
    """A combination that is not supported."""

    exit_code = 2


class BadInput(EdgekitError):
    """A file, folder or value from outside that cannot be used."""

    exit_code = 2


class UnknownOption(BadInput):
    """An option that a pipeline does not have.

    Attributes:
        name: of the option.
    """

    name = ""

    @classmethod
    def of(cls, name: str, known: Iterable[str]) -> UnknownOption:
        """The error for `name`, with the options that there are."""
        known = list(known)
        there = f"There {'is' if len(known) == 1 else 'are'}: {', '.join(known)}." if known else "There are none."
        error = cls(f"there is no option {name!r}.", hint=there)
        error.name = name
        return error


class CannotRun(BadInput):
    """A runtime refuses a network, or a call of it. Where the network was just made, the user did nothing wrong."""


class MissingExtra(EdgekitError):
    """A feature whose optional dependency is not installed."""

    exit_code = 3


class FetchFailed(EdgekitError):
    """Weights that could not be fetched, or that differ from the pinned weights."""

    exit_code = 3


class ExportFailed(EdgekitError):
    """An exporter that could not write its artefact."""

    exit_code = 4


class ParityFailed(EdgekitError):
    """An artefact whose outputs differ from the reference by more than its precision allows."""

    exit_code = 5


class GateFailed(EdgekitError):
    """An artefact that is less accurate than its evaluation allows."""

    exit_code = 5


class OverBudget(EdgekitError):
    """An artefact that does not fit its target."""

    exit_code = 6


class Regression(EdgekitError):
    """A measurement that got worse than `compare` accepts."""

    exit_code = 7


class DeviceFailed(EdgekitError):
    """A phone, emulator or board that failed."""

    exit_code = 8


#: The name that pip knows this package by. On the package index, the name of the command is another project's.
DISTRIBUTION = "edgekit-ml"


def install_command(extra: str = "", *options: str) -> str:
    """The command that installs this copy again, with an extra or with options of pip.

    It names where the copy came from (PEP 610): a folder, a wheel, a repository at a commit, an address. A copy of the
    package index, or one that was not installed, has no such record and is named.
    """
    # These take 20 ms, which only a command that fails must pay.
    import importlib.metadata
    import importlib.util
    import json
    import urllib.parse

    try:
        record = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        record = None
    origin = json.loads(record or "{}")
    url, extras = origin.get("url", ""), f"[{extra}]" if extra else ""
    if url.startswith("file:"):
        wanted = urllib.parse.unquote(urllib.parse.urlsplit(url).path) + extras
        options = (*options, "--editable") if origin.get("dir_info", {}).get("editable") else options
    elif source := origin.get("vcs_info"):
        wanted = f"{DISTRIBUTION}{extras} @ {source['vcs']}+{url}@{source['commit_id']}"
    else:
        wanted = f"{DISTRIBUTION}{extras}" + (f" @ {url}" if url else "")
    pip = "pip" if importlib.util.find_spec("pip") else "uv pip"  # environments that uv makes have no pip
    return " ".join([pip, "install", *options, f'"{wanted}"'])


@contextlib.contextmanager
def need(extra: str, what: str) -> Iterator[None]:
    """Map an ImportError inside the block to `MissingExtra` with the install line.

    Args:
        extra: the extra of this package that brings the dependency, such as ``"run"``.
        what: what the user was about to do, for the message.
    """
    try:
        yield
    except ImportError as exc:
        missing = exc.name or str(exc)
        raise MissingExtra(
            f"{what} needs the Python package {missing!r}, which is not installed.",
            hint=f"Install it with: {install_command(extra)}",
        ) from exc


#: Error numbers of the system for unusable paths.
_OF_PATHS = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.EBUSY, errno.EIO, errno.ENXIO),
)


@contextlib.contextmanager
def boundary() -> Iterator[None]:
    """Map operating-system failures that can happen at any write or read to typed errors."""
    try:
        yield
    except OSError as exc:
        where = f" at {exc.filename}" if exc.filename else ""
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportFailed(
                f"the disk is full{where}; nothing that was there before has been changed.",
                hint="Free some space, or choose another place with --out or EDGEKIT_CACHE.",
            ) from exc
        if exc.errno == errno.EFBIG:
            raise ExportFailed(
                f"a file grew larger than this disk or this user's limit allows{where}; "
                "nothing that was there before has been changed.",
                hint="See ulimit -f, or choose another place with --out or EDGEKIT_CACHE.",
            ) from exc
        if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise BadInput(f"no permission to read or write{where}: {exc.strerror}.") from exc
        if exc.errno in _OF_PATHS:
            raise BadInput(f"{exc.strerror}{where}.", hint="Check the path.") from exc
        raise


def run_command(act: Callable[[], Iterable[object]]) -> int:
    """Run a ``python -m edgekit.…`` command: print a line for each item that `act` returns, or its error.

    Returns:
        the exit status.
    """
    try:
        print(*act(), sep="\n")
    except EdgekitError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    return 0
