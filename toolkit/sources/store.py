"""A source's folder in the cache: its files, missing files, and the lock for the process that fills it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from edgekit.common.files import write_whole
from edgekit.core import Progress, Source, SourceFile
from edgekit.errors import FetchFailed
from edgekit.sources.mirror import Mirror
from edgekit.sources.transports import Bounds, Fetcher, fetcher, local

CHUNK = 1 << 20
#: Most bytes of a file without a pinned size: more than any supported model, less than most disks.
_UNPINNED = 64 << 30


class Store:
    """The folder of a source in the cache.

    Args:
        cache: the cache folder; need not exist.
        source: its file names are safe (`edgekit.sources.transports.safe_name`).
        tell: progress. mirror: a folder that may hold pinned files.
    """

    def __init__(self, cache: Path, source: Source, tell: Progress, mirror: Mirror | None = None) -> None:
        # The key of pinned files is their content alone, so that sources with the same files share a folder.
        files = [[f.name, f.sha256] if f.sha256 else [f.name, f.pieces, source.revision] for f in source.files]
        key = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:24]
        self.source = source
        self.folder = cache / "sources" / key
        self._partial = self.folder.with_name(f"{key}.partial")
        self._lock = self.folder.with_name(f"{key}.lock")
        self._seen = self.folder.with_name(f"{key}.seen.json")
        self._tell = tell
        self._mirror = mirror

    def is_whole(self) -> bool:
        """Whether every file is there and verified. Hashes nothing while a file is missing."""
        return all(self._path(file).is_file() for file in self.source.files) and not self._missing()

    def is_near(self) -> bool:
        """Whether every missing file is in the mirror or in edgekit itself."""
        return not self._remote()

    def fill(self, offline: bool) -> None:
        """Copy or download missing and damaged files, as the only process that does."""
        if offline and (remote := self._remote()):
            raise FetchFailed(f"this is offline, and the cache lacks an undamaged {', '.join(f.name for f in remote)}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone(), fetcher(self._partial / "packages", self._tell) as transports:
            for file in self._missing():  # after waiting for the lock: another process may have fetched them
                self._path(file).unlink(missing_ok=True)
                if not self._copy_from_mirror(file):
                    self._fetch(file, transports)
            shutil.rmtree(self._partial, ignore_errors=True)  # partials of pieces that no file needs any more

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        import filelock

        lock = filelock.FileLock(self._lock)
        while True:
            try:
                lock.acquire(timeout=0.5)
                break
            except filelock.Timeout:
                self._tell("waiting for another process that is fetching the same files", 0, 0)
        try:
            yield
        finally:
            for folder in (self._partial, self.folder):
                with contextlib.suppress(OSError):
                    folder.rmdir()  # only if nothing is in it
            lock.release()

    def _remote(self) -> list[SourceFile]:
        """Missing files that are neither in the mirror nor on this machine."""
        absent = [file for file in self._missing() if not file.pieces or not all(map(local, file.pieces))]
        return [file for file in absent if self._mirror is None or self._mirror.find(file) is None]

    def _copy_from_mirror(self, file: SourceFile) -> bool:
        """Copy a file out of the mirror; False if it is absent or has changed."""
        original = self._mirror.find(file) if self._mirror else None
        if original is None:
            return False
        self._partial.mkdir(parents=True, exist_ok=True)
        copy = self._partial / "copy"
        shutil.copyfile(original, copy)
        digest = _digest(copy, lambda done: self._tell(f"checking {file.name}", done, file.size or 0))
        if not _matches(copy, digest, file):
            copy.unlink()
            return False
        _publish(copy, self._path(file))
        return True

    def _fetch(self, file: SourceFile, transports: Fetcher) -> None:
        self._partial.mkdir(parents=True, exist_ok=True)
        resumed = any(path.is_file() for path in self._partial.iterdir())
        whole = self._join(file, transports)
        digest = _digest(whole, lambda done: self._tell(f"checking {file.name}", done, file.size or 0))
        if not _matches(whole, digest, file) and resumed:
            # An earlier run's partial may be damaged or of an older file: try once more from the start.
            self._drop(file, whole)
            whole = self._join(file, transports)
            digest = _digest(whole, lambda done: self._tell(f"checking {file.name}", done, file.size or 0))
        if not _matches(whole, digest, file):
            size = whole.stat().st_size
            self._drop(file, whole)
            raise FetchFailed(
                f"{file.name} is not the pinned file: {size} bytes, sha256 {digest[:12]}..., "
                f"expected {file.size} bytes, sha256 {(file.sha256 or '')[:12]}...."
            )
        if not file.sha256:
            write_whole(self._seen, json.dumps({**self._seen_digests(), file.name: digest}).encode())
        _publish(whole, self._path(file))
        self._drop(file, whole)

    def _join(self, file: SourceFile, transports: Fetcher) -> Path:
        """Download all pieces of a file and join them; returns the joined file."""
        if not file.pieces:
            raise FetchFailed(f"no public address of {file.name} is known: it can only come from a mirror")
        limit, base = _UNPINNED if file.size is None else file.size, 0
        parts = []
        for piece, done in ((piece, self._part(piece)) for piece in file.pieces):
            if not done.is_file():
                arriving = done.with_name(done.name + ".partial")
                tick = self._ticker(f"fetching {file.name}", base, file.size or 0)
                transports.get(piece, arriving, Bounds(limit - base, file.sha256 is not None, tick))
                arriving.replace(done)
            parts.append(done)
            base += done.stat().st_size
        if len(parts) == 1:
            return parts[0]
        joined = self._partial / "joined"
        with joined.open("wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, out, CHUNK)
        return joined

    def _drop(self, file: SourceFile, whole: Path) -> None:
        for path in (whole, *map(self._part, file.pieces)):
            path.unlink(missing_ok=True)

    def _ticker(self, what: str, base: int, total: int) -> Callable[[int], None]:
        return lambda done: self._tell(what, base + done, total)

    def _missing(self) -> list[SourceFile]:
        return [file for file in self.source.files if not self._is_good(file)]

    def _is_good(self, file: SourceFile) -> bool:
        path, pinned = self._path(file), file.sha256 or self._seen_digests().get(file.name)
        if not path.is_file() or not pinned or file.size not in (None, path.stat().st_size):
            return False
        return _digest(path, lambda done: self._tell(f"checking {file.name}", done, path.stat().st_size)) == pinned

    def _seen_digests(self) -> dict[str, str]:
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(self._seen.read_bytes()))
        return {}

    def _path(self, file: SourceFile) -> Path:
        return self.folder / file.name

    def _part(self, piece: str) -> Path:
        return self._partial / hashlib.sha256(piece.encode()).hexdigest()[:24]


def _matches(path: Path, digest: str, file: SourceFile) -> bool:
    return file.sha256 is None or (digest == file.sha256 and file.size in (None, path.stat().st_size))


def _digest(path: Path, tick: Callable[[int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
            done += len(block)
            tick(done)
    return digest.hexdigest()


def _publish(whole: Path, path: Path) -> None:
    """Move a finished file to its name; the data reaches the disk before the name does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole.open("rb+") as file:
        os.fsync(file.fileno())
    whole.replace(path)
