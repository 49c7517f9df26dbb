"""Bundles are written to a temporary folder and renamed to their final name in a single step."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from edgekit.bundles.manifest import LARGEST, NAME, Manifest, decode
from edgekit.errors import BadInput, boundary

#: Between the name of a bundle and its owner's, in the name of a temporary folder.
_PARTIAL = ".partial-"
#: Suffix of an earlier bundle while the new bundle takes its place.
_OLD = ".old"
#: Seconds after which a folder of another machine, in which nothing has changed, counts as left behind.
_LEFT = 2 * 86400.0


def replaceable(out: Path) -> Path:
    """The real path of `out` (a link stays, its destination is replaced), if a bundle may be written there.

    Raises:
        BadInput: something other than a bundle is there.
    """
    with boundary():
        out = Path(os.path.realpath(out))
        if out.exists() and not _is_bundle(out):
            raise BadInput(f"{out} exists and is not a bundle; it will not be replaced.", hint="Choose another --out.")
    return out


def peek(place: Path) -> Manifest | None:
    """The manifest at `place`, without a check of the other files; None if there is no readable manifest."""
    with contextlib.suppress(OSError, BadInput):
        if (place / NAME).stat().st_size <= LARGEST:
            return decode((place / NAME).read_bytes())
    return None


def _is_bundle(place: Path) -> bool:
    """Whether `place` is an empty folder, or a bundle, even if damaged. Other programs have a manifest.json, too."""
    if not place.is_dir() or not any(place.iterdir()):
        return place.is_dir()
    if not (place / NAME).is_file():
        return False
    with (place / NAME).open("rb") as file:
        return b'"edgekit"' in file.read(200)


@contextlib.contextmanager
def staging_folder(out: Path, where: Callable[[Path], Path] = replaceable) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Args:
        where: `out` -> its real path; raises BadInput if what is there must not be replaced.

    Raises:
        BadInput: raised by `where`; by default, if `out` exists and is not a bundle.
    """
    out = where(out)
    with boundary():
        out.parent.mkdir(parents=True, exist_ok=True)
        sweep(out.parent, glob.escape(out.name))
        work = out.with_name(f".{out.name}{_PARTIAL}{owner()}-{uuid.uuid4().hex[:8]}")
        work.mkdir()  # open as far as the umask allows; what tempfile makes is for its owner alone
        try:
            yield work
            _swap(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove the temporary folders of killed exports in `folder`, unless their process still runs.

    An export killed between the two renames of `_swap` left the earlier bundle under another name: it is renamed back.

    Args:
        name: a pattern of the bundles' names.
    """
    for left in folder.glob(f".{name}{_PARTIAL}*"):
        place, _, mark = left.name[1:].rpartition(_PARTIAL)
        if alive(mark, left):
            continue
        if left.name.endswith(_OLD) and not (folder / place).exists():
            left.rename(folder / place)
        else:
            shutil.rmtree(left, ignore_errors=True)


def owner() -> str:
    """This process in the name of a folder that it makes: where it runs, and its number there."""
    return f"{_here()}.{os.getpid()}"


def alive(mark: str, folder: Path) -> bool:
    """Whether the process may still run whose `owner` the name of `folder` begins with, or holds as `mark`.

    Elsewhere (another machine on a shared disk, another container, before the machine was started again) its number
    says nothing: there it counts as running until nothing in its folder has changed for two days.
    """
    here, _, number = mark.partition("-")[0].partition(".")
    if here != _here() or not number.isdigit():
        with contextlib.suppress(OSError):
            return time.time() - max(path.lstat().st_mtime for path in (folder, *folder.rglob("*"))) < _LEFT
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _here() -> str:
    """The host, its boot and the numbering of its processes, in few letters."""
    facts = [platform.node()]
    with contextlib.suppress(OSError):  # of Linux
        facts += [Path("/proc/sys/kernel/random/boot_id").read_text("ascii"), str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _swap(new: Path, out: Path) -> None:
    """Replace `out` by `new`. Signals wait: a Ctrl-C between the two renames would leave no bundle."""
    old = new.with_name(new.name + _OLD)
    try:
        with _signals_wait():
            try:
                if out.exists():
                    out.rename(old)
                new.rename(out)
            except BaseException:
                if old.exists():
                    old.rename(out)
                raise
    finally:
        if out.exists():
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold signals back until the block ends.

    A signal mask is not enough: runtimes' threads do not share it, and Python still raises in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are only ever handled in the main thread
        yield
        return
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, hold)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for held in came:
            signal.raise_signal(held)
