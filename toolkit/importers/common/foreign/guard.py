"""What the child may not do: use a network, start processes, and (foreign code of a hub) write outside its folder.

Two walls. Python's audit hooks say in plain words what was refused, on every system. On Linux a seccomp filter makes
the kernel refuse the same calls, also those of compiled code; where the kernel allows it, a namespace without any
network device stands around both.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

from edgekit.common.memory import free_memory

__all__ = ["Refused", "forbid", "isolate", "limit_memory"]

_SOCKETS = frozenset({"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})
_PROCESSES = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
        *("pty.spawn", "os.startfile", "os.kill", "os.killpg"),
    }
)
_WRITES = frozenset(
    {
        *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown"),
        *("os.truncate", "os.utime", "os.setxattr"),
    }
)
_UNIX = 1


class Refused(PermissionError):
    """The code tried what it may not do."""


def forbid(scratch: Path, *, writes: bool) -> None:
    """Refuse sockets and processes from now on, and with `writes` also files outside `scratch`."""
    inside = os.path.realpath(scratch)

    def outside(path: Any) -> bool:
        if not isinstance(path, str | bytes):
            return False
        whole = os.path.realpath(os.fsdecode(path))
        return whole != os.devnull and not (whole == inside or whole.startswith(inside + os.sep))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _SOCKETS or (event == "socket.__new__" and arguments[1] != _UNIX):
            raise Refused(f"tried to use the network ({event}), which it may not")
        if event in _PROCESSES:
            raise Refused(f"tried to start or signal a process ({event}), which it may not")
        if writes and event == "open" and _writing(arguments) and outside(arguments[0]):
            raise Refused(f"tried to write {str(arguments[0])!r}, outside its folder")
        if writes and event in _WRITES and any(outside(item) for item in arguments[:2]):
            raise Refused(f"tried to change {str(arguments[0])!r}, outside its folder ({event})")

    sys.addaudithook(hook)


def _writing(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def limit_memory() -> None:
    """At most the memory that is free, so that a mistake becomes a MemoryError and not a frozen machine."""
    if sys.platform != "linux":
        return
    import resource

    most = free_memory()
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


#: Numbers of the calls that the kernel refuses, and the tag of the machine.
_CALLS = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "connect": 42, "bind": 49, "execve": 59, "execveat": 322, "fork": 57, "vfork": 58, "kill": 62}
        | {"ptrace": 101, "io_uring_setup": 425, "tkill": 200, "process_vm_writev": 311},
        56,
        435,
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "connect": 203, "bind": 200, "execve": 221, "execveat": 281, "kill": 129, "ptrace": 117}
        | {"io_uring_setup": 425, "tkill": 130, "process_vm_writev": 271},
        220,
        435,
    ),
}
_NEW_NETWORK = 0x40000000
_THREAD = 0x00010000
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026


def isolate() -> bool:
    """Have the kernel refuse sockets and processes; False where it cannot be asked to (the audit hooks remain)."""
    machine = _CALLS.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    library = ctypes.CDLL(None, use_errno=True)
    library.unshare(_NEW_NETWORK)  # needs rights that most users lack; the filter below needs none
    code = _filter(*machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)))
    no_new_rights, set_filter, by_filter = 38, 22, 2
    prctl = library.prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return not (prctl(no_new_rights, 1, 0, 0, 0) or prctl(set_filter, by_filter, ctypes.addressof(program), 0, 0))


def _filter(tag: int, refused: dict[str, int], clone: int, clone3: int) -> bytes:
    """A program of the kernel's packet filter: what each call is answered with."""
    load, equal, test, give = 0x20, 0x15, 0x45, 0x06

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    steps = [step(load, 4), step(equal, tag, 1, 0), step(give, _EPERM), step(load, 0)]
    for number in refused.values():
        steps += [step(equal, number, 0, 1), step(give, _EPERM)]
    # Threads are made by clone as processes are, with a flag; clone3 hides its flags, so libraries fall back to clone.
    steps += [step(equal, clone3, 0, 1), step(give, _ENOSYS)]
    steps += [step(equal, clone, 0, 3), step(load, 16), step(test, _THREAD, 1, 0), step(give, _EPERM)]
    return b"".join([*steps, step(give, _ALLOW)])
