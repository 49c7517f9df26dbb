"""Bundles are written beside their place, and take it in one step."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from edgekit.bundles.manifest import LARGEST, NAME, Manifest, decode
from edgekit.errors import BadInput, boundary

__all__ = ["peek", "replaceable", "staged"]


#: Added to the name of an earlier bundle while the new one takes its place.
_OLD = ".old"


def replaceable(out: Path) -> Path:
    """Where `out` really is (a link stays, what it points to is replaced), if a bundle may be put there.

    Raises:
        BadInput: something is there that is not a bundle: it is not ours to replace.
    """
    with boundary():
        out = Path(os.path.realpath(out))
        if out.exists() and not _is_ours(out):
            raise BadInput(f"{out} exists and is not a bundle; it will not be replaced.", hint="Choose another --out.")
    return out


def peek(place: Path) -> Manifest | None:
    """The manifest at `place`, whatever the files beside it are; None where there is none that can be read."""
    with contextlib.suppress(OSError, BadInput):
        if (place / NAME).stat().st_size <= LARGEST:
            return decode((place / NAME).read_bytes())
    return None


def _is_ours(place: Path) -> bool:
    """An empty folder, or a bundle, even a damaged one. Other programs have a manifest.json too."""
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
        where: gives the place that `out` really is, or raises BadInput: what is there is not ours to replace.

    Raises:
        BadInput: `where` says so; by default, `out` exists and is not a bundle.
    """
    out = where(out)
    with boundary():
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-{os.getpid()}-", dir=out.parent))
        try:
            yield work
            work.chmod(0o755)
            _swap(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _sweep(out: Path) -> None:
    """Remove what a killed export of the same bundle left behind, unless its process still runs.

    One that was killed between the two renames of `_swap` left the earlier bundle under another name: it goes back.
    """
    for left in out.parent.glob(f".{glob.escape(out.name)}.partial-*"):
        owner = left.name.removeprefix(f".{out.name}.partial-").split("-")[0]
        if not owner.isdigit() or _alive(int(owner)):
            continue
        if left.name.endswith(_OLD) and not out.exists():
            left.rename(out)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _swap(new: Path, out: Path) -> None:
    """Put `new` where `out` is. Signals wait: a Ctrl-C between the two renames would leave no bundle at all."""
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

    A mask would not do: runtimes have threads that do not share it, and Python raises in the main one all the same.
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
