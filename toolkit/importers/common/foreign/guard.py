"""What the child may not do, said in plain words: use a network, start processes, write outside its scratch folder.

Python's audit hooks say it, on every system, and see what Python does. What compiled code does, the kernel holds where
it can: see `edgekit.importers.common.foreign.kernel`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from edgekit.common.memory import free_memory

_SOCKETS = frozenset({"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})
_PROCESSES = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
        *("pty.spawn", "os.startfile", "os.kill", "os.killpg"),
    }
)
#: Changes of a name in a folder, and of what a name leads to; the last argument of `_BY_FOLDER` is a descriptor or -1.
_NAMES = frozenset({"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "shutil.rmtree"})
_THINGS = frozenset({"os.chmod", "os.chown", "os.truncate", "os.utime", "os.setxattr", "os.removexattr"})
_BY_FOLDER = (_NAMES | _THINGS) - {"shutil.rmtree", "os.truncate", "os.setxattr", "os.removexattr"}
_UNIX = 1


class Refused(PermissionError):
    """The code tried what it may not do."""


def forbid(scratch: Path) -> None:
    """Refuse sockets, processes, and files outside `scratch` from now on."""
    inside = os.path.realpath(scratch)

    def outside(path: Any, *, itself: bool = False) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  links stay
        whole = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        whole = whole if itself else os.path.realpath(whole)
        return whole != os.devnull and not (whole == inside or whole.startswith(inside + os.sep))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _SOCKETS or (event == "socket.__new__" and arguments[1] != _UNIX):
            raise Refused(f"tried to use the network ({event}), which it may not")
        if event in _PROCESSES:
            raise Refused(f"tried to start or signal a process ({event}), which it may not")
        if event == "open" and _writing(arguments) and outside(arguments[0]):
            raise Refused(f"tried to write {str(arguments[0])!r}, outside its scratch folder")
        if event not in _NAMES | _THINGS or (event in _BY_FOLDER and arguments[-1] != -1):
            return  # a name in an open folder is the kernel's to judge
        if any(outside(item, itself=event in _NAMES) for item in arguments[event == "os.symlink" : 2]):
            raise Refused(f"tried to change {str(arguments[0])!r}, outside its scratch folder ({event})")

    sys.addaudithook(hook)


def _writing(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def limit_memory() -> None:
    """At most the memory that is free, so that a mistake becomes a MemoryError and not a frozen machine."""
    if sys.platform != "linux":
        return
    import resource

    most = free_memory()
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
