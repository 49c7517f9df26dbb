"""Bundles on disk: opening, checking, loading, and writing them so that a half one never has the final name."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgekit.core import Bundle, Predictor, Runner
from edgekit.errors import BadInput, boundary
from edgekit.manifest import NAME, File, Manifest, decode, hash_file, safe_name
from edgekit.registry import find

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
        if not file.is_file():
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
        file = path / safe_name(name)
        if name not in here:
            raise BadInput(f"the bundle {path.name} lacks {name}.", hint=again)
        if file.is_symlink():
            raise BadInput(f"the bundle {path.name} has a link in place of {name}; it may point anywhere.", hint=again)
        size = file.stat().st_size
        if size != facts.size:
            raise BadInput(f"{name} in {path.name} has {size} bytes, the manifest says {facts.size}.", hint=again)
        if hashes and hash_file(file) != facts.sha256:
            raise BadInput(f"{name} in {path.name} was changed: its sha256 does not match.", hint=again)
    extra = sorted(here - set(manifest.files))
    if extra:
        raise BadInput(f"the bundle {path.name} holds {extra[0]}, which its manifest does not name.", hint=again)
    for part in manifest.parts:
        if part.file not in manifest.files:
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
        BadInput: not a bundle, changed, or made by a model or exporter that is not installed here.
        MissingExtra: the runtime is absent.
    """
    bundle = open_bundle(Path(path), hashes=hashes)
    manifest: Manifest = bundle.manifest
    model = find("models", manifest.model.name)
    exporter = find("exporters", manifest.recipe.exporter)
    threads = threads or usable_processors()
    runners = {part.name: exporter.load(bundle.path / part.file, threads) for part in manifest.parts}
    if wrap:
        runners = {name: wrap(name, runner) for name, runner in runners.items()}
    predictor: Predictor = model.pipeline(runners, bundle.path, manifest.facts)
    return predictor


def load_unchecked(path: str, threads: int, wrap: Callable[[str, Runner], Runner] | None) -> Predictor:
    """`load` without hashing, for `bench`, whose parent has checked the bundle once."""
    return load(path, threads, wrap, hashes=False)


def usable_processors() -> int:
    """Processors that this process may use (its affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def inventory(folder: Path) -> dict[str, File]:
    """Hash and size of every file below `folder` except the manifest, sorted by name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != NAME)
    return {p.relative_to(folder).as_posix(): File(sha256=hash_file(p), size=p.stat().st_size) for p in files}


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Raises:
        BadInput: `out` exists and is not a bundle: it is not ours to replace.
    """
    out = out.absolute()
    if out.exists() and not (out / NAME).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} exists and is not a bundle; it will not be replaced.", hint="Choose another --out.")
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
    """Remove what a killed export of the same bundle left behind, unless its process still runs."""
    for left in out.parent.glob(f".{out.name}.partial-*"):
        owner = left.name.removeprefix(f".{out.name}.partial-").split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
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
    old = new.with_name(new.name + ".old")
    with _signals_wait():
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except BaseException:
            if old.exists():
                old.rename(out)
            raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
