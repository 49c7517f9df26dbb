"""Bundles are written to a temporary folder and renamed to their final name in a single step."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from edgekit.bundles.manifest import LARGEST, NAME, Manifest, decode
from edgekit.errors import BadInput, boundary

__all__ = ["alive", "peek", "replaceable", "staged"]


#: Suffix of an earlier bundle while the new bundle takes its place.
_OLD = ".old"


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
def staged(out: Path, where: Callable[[Path], Path] = replaceable) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Args:
        where: `out` -> its real path; raises BadInput if what is there must not be replaced.

    Raises:
        BadInput: raised by `where`; by default, if `out` exists and is not a bundle.
    """
    out = where(out)
    with boundary():
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        work = out.with_name(f".{out.name}.partial-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        work.mkdir()  # open as far as the umask allows; what tempfile makes is for its owner alone
        try:
            yield work
            _swap(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _sweep(out: Path) -> None:
    """Remove the temporary folders of killed exports of the same bundle, unless their process still runs.

    An export killed between the two renames of `_swap` left the earlier bundle under another name: it is renamed back.
    """
    for left in out.parent.glob(f".{glob.escape(out.name)}.partial-*"):
        owner = left.name.removeprefix(f".{out.name}.partial-").split("-")[0]
        if not owner.isdigit() or alive(int(owner)):
            continue
        if left.name.endswith(_OLD) and not out.exists():
            left.rename(out)
        else:
            shutil.rmtree(left, ignore_errors=True)


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


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
