"""The files that foreign code has read, so that a later import can tell whether anything has changed."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.files import hash_file

__all__ = ["Recorder", "unchanged"]

_MOST = 5000
#: Packages whose versions the key of an import holds.
_KNOWN = ("torch", "numpy", "sympy", "mpmath", "edgekit", "networkx", "jinja2", "setuptools", "safetensors", "fsspec")


class Recorder:
    """Notes every file that is opened for reading from now on, but those of Python itself and of `_KNOWN` packages.

    Compiled code opens files unseen; safetensors, the usual case, is watched by its own function.
    """

    def __init__(self, scratch: Path) -> None:
        paths = sysconfig.get_paths()
        self._left_out = tuple(
            os.path.realpath(folder) + os.sep
            for folder in (
                *(paths["stdlib"], paths["platstdlib"], str(scratch), "/proc", "/sys", "/dev", "/etc", "/usr/share"),
                *(str(Path(entry) / name) for entry in sys.path for name in _KNOWN if "site-packages" in entry),
            )
        )
        self._site = os.sep + "site-packages" + os.sep
        self._seen: dict[str, None] = {}
        self._watching = True
        sys.addaudithook(self._hook)
        self._watch_safetensors()

    def files(self) -> dict[str, list[Any]]:
        """Path -> size, time of change in ns, sha256 of each file, now."""
        self._watching = False
        modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        paths = {os.path.realpath(path) for path in (*self._seen, *modules) if isinstance(path, str)}
        facts: dict[str, list[Any]] = {}
        for path in sorted(paths):
            if path.endswith((".pyc", ".so")) or self._skipped(path):
                continue
            try:
                state = os.stat(path)  # noqa: PTH116  paths are text here
                if stat.S_ISREG(state.st_mode) and len(facts) < _MOST:
                    facts[path] = [state.st_size, state.st_mtime_ns, hash_file(Path(path))]
            except OSError:
                continue
        return facts

    def _skipped(self, path: str) -> bool:
        beside = self._site in path
        return (not beside and path.startswith(self._left_out[:2])) or path.startswith(self._left_out[2:])

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._watching and event == "open" and isinstance(arguments[0], str | bytes):
            mode, flags = arguments[1], arguments[2]
            reading = "r" in mode if isinstance(mode, str) else not (flags or 0) & (os.O_WRONLY | os.O_RDWR)
            if reading:
                self._seen[os.fsdecode(arguments[0])] = None

    def _watch_safetensors(self) -> None:
        try:
            import safetensors
        except ImportError:
            return
        original: Any = safetensors.safe_open

        def watched(filename: Any, *arguments: Any, **named: Any) -> Any:
            self._seen[os.fspath(filename)] = None
            return original(filename, *arguments, **named)

        safetensors.safe_open = watched  # type: ignore[misc, assignment]


def unchanged(files: Mapping[str, Any]) -> bool:
    """Whether every file is as it was: by size and time, else by its content."""
    for path, (size, changed, digest) in files.items():
        try:
            state = Path(path).stat()
            if state.st_size != size or (state.st_mtime_ns != changed and hash_file(Path(path)) != digest):
                return False
        except OSError:
            return False
    return True
