"""Bundles on disk: opening, checking, loading, and writing them so that a half one never has the final name."""

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

from edgekit._files import hash_file
from edgekit.core import Bundle, Exporter, Model, Predictor, Runner
from edgekit.errors import BadInput, UnknownName, boundary
from edgekit.fitting import serving
from edgekit.manifest import NAME, File, Manifest, decode
from edgekit.processors import thread_count
from edgekit.registry import find

#: Added to the name of an earlier bundle while the new one takes its place.
_OLD = ".old"

#: A manifest larger than this is not one of ours.
_MOST = 16 * 2**20


def open_bundle(path: Path, *, hashes: bool = True) -> Bundle:
    """The bundle at `path`, its manifest read and every file checked.

    Args:
        hashes: compare contents too, not only names and sizes.

    Raises:
        BadInput: no bundle there, or a file is missing, additional, a link out of the folder, or changed.
    """
    path = Path(path)
    with boundary():
        file = path / NAME
        if not file.is_file() or file.is_symlink():
            raise BadInput(f"{path} is not a bundle: it has no {NAME}.", hint="Make one with: edgekit export MODEL")
        if file.stat().st_size > _MOST:
            raise BadInput(f"{file} is too large to be a manifest.")
        manifest = decode(file.read_bytes())
        _check_files(path, manifest, hashes)
    return Bundle(path, manifest)


def _check_files(path: Path, manifest: Manifest, hashes: bool) -> None:
    here = {p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir() or p.is_symlink()} - {NAME}
    again = "Export it again, or fetch it again from where it came."
    for name, facts in manifest.files.items():
        file = path / name  # `decode` saw that it stays inside
        if name not in here:
            raise BadInput(f"the bundle {path.name} lacks {name}.", hint=again)
        if file.is_symlink():
            raise BadInput(f"the bundle {path.name} has a link in place of {name}; it may point anywhere.", hint=again)
        if not file.is_file():
            raise BadInput(f"{name} in {path.name} is not a plain file.", hint=again)
        size = file.stat().st_size
        if size != facts.size:
            raise BadInput(f"{name} in {path.name} has {size} bytes, the manifest says {facts.size}.", hint=again)
        if hashes and hash_file(file) != facts.sha256:
            raise BadInput(f"{name} in {path.name} was changed: its sha256 does not match.", hint=again)
    extra = sorted(here - set(manifest.files))
    if extra:
        raise BadInput(f"the bundle {path.name} holds {extra[0]}, which its manifest does not name.", hint=again)
    for part in manifest.parts:
        if part.file not in manifest.files and not any(name.startswith(f"{part.file}/") for name in manifest.files):
            raise BadInput(f"the manifest of {path.name} has no hash for the part {part.name!r} ({part.file}).")


def load(
    path: str | Path,
    threads: int | None = None,
    wrap: Callable[[str, Runner], Runner] | None = None,
    *,
    hashes: bool = True,
) -> Predictor:
    """A bundle, ready to predict. Needs only the ``run`` extra, and never the checkpoint.

    Args:
        threads: within an operator; None takes all processors that this process may use.
        wrap: called with (part, runner), returns what is used instead (how `bench` times parts).
        hashes: check contents first; without, only names and sizes.

    Raises:
        BadInput: not a bundle, changed, or one that its model's pipeline cannot use; more threads than make sense.
        UnknownName: made by a model or exporter that is not installed here. MissingExtra: the runtime is absent.
    """
    bundle = open_bundle(Path(path), hashes=hashes)
    manifest: Manifest = bundle.manifest
    model, exporter = makers(bundle)
    threads = thread_count(threads)
    check_code(bundle.path, model, exporter)
    runners = {part.name: exporter.load(bundle.path / part.file, threads) for part in manifest.parts}
    if wrap:
        runners = {name: wrap(name, runner) for name, runner in runners.items()}
    try:
        return model.pipeline(runners, bundle.path, manifest.facts)
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        raise BadInput(
            f"the bundle {bundle.path.name} cannot be used by the model {model.name}: "
            f"its parts or facts are not what the pipeline expects ({type(exc).__name__}: {exc}).",
            hint="Export it again with this edgekit.",
        ) from exc


def check_code(path: Path, model: Model, exporter: Exporter) -> None:
    """See that source code in the bundle at `path` is what the exporter generates, before anything compiles it.

    Hashes do not say so: whoever made the bundle also made the manifest.

    Raises:
        BadInput: some of it is not.
    """
    check: Callable[[Model, Path], None] | None = getattr(exporter, "check", None)
    if check is not None:
        check(model, path)


def makers(bundle: Bundle) -> tuple[Model, Exporter]:
    """The model and the exporter that `bundle` was made by.

    Raises:
        UnknownName: one of them is not installed here.
    """
    exporter: Exporter = _maker(bundle, "exporters", bundle.manifest.recipe.exporter)
    return serving(_maker(bundle, "models", bundle.manifest.model.name), exporter.name), exporter


def _maker(bundle: Bundle, room: str, name: str) -> Any:
    try:
        return find(room, name)
    except UnknownName as exc:
        raise UnknownName(
            f"the bundle {bundle.path.name} was made by the {room.rstrip('s')} {name!r}, which is not installed here.",
            hint=f"Install the package that brings it (entry point edgekit.{room}), or upgrade edgekit.",
        ) from exc


def load_unchecked(path: str, threads: int, wrap: Callable[[str, Runner], Runner] | None) -> Predictor:
    """`load` without hashing, for `bench`, whose parent has checked the bundle once."""
    return load(path, threads, wrap, hashes=False)


def inventory(folder: Path) -> dict[str, File]:
    """Hash and size of every file below `folder` except the manifest, sorted by name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / NAME)
    return {p.relative_to(folder).as_posix(): File(sha256=hash_file(p), size=p.stat().st_size) for p in files}


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
        if (place / NAME).stat().st_size <= _MOST:
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
