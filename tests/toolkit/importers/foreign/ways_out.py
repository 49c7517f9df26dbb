"""What hostile compiled code could try, by calls of the C library: run by `test_ways_out.py` inside the child.

Each way returns whether it came through. Paths, sockets and numbers of the parent come from ``ways.json`` beside this
file. Every file that is tried lies in the folder ``victims``; the parent compares it before and after.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

C = ctypes.CDLL(None, use_errno=True)
HERE = Path(__file__).parent
GIVEN: dict[str, Any] = json.loads((HERE / "ways.json").read_text("utf-8"))
PARENT: int = GIVEN["parent"]
ARM = platform.machine() == "aarch64"
AT_FDCWD, PLAIN = -100, 0o644
WAYS: dict[str, Callable[[], bool]] = {}


def victim(name: str) -> bytes:
    return os.fsencode(HERE / "victims" / name)


def scratch(name: str) -> bytes:
    return os.fsencode(Path(tempfile.gettempdir()) / name)


def mine(name: str) -> bytes:
    """A file of this process, in the scratch folder."""
    Path(os.fsdecode(scratch(name))).write_text("mine", "utf-8")
    return scratch(name)


def reading(name: str = "file") -> int:
    return os.open(victim(name), os.O_RDONLY)


def call(name: str, *arguments: Any) -> bool:
    """Whether a function of the C library succeeds."""
    return int(C[name](*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))) >= 0


def kernel(x86: int, arm: int, *arguments: Any) -> bool:
    """Whether a call of the kernel succeeds."""
    return call("syscall", arm if ARM else x86, *arguments)


def opens(flags: int, path: bytes | None = None) -> bool:
    return call("open", path or victim("file"), flags, PLAIN)


def way(name: str, tried: Callable[[], bool]) -> None:
    WAYS[name] = tried


def _state() -> os.stat_result:
    return (HERE / "victims" / "file").stat()


def _named(name: str) -> Callable[[Callable[[], bool]], None]:
    return lambda tried: way(name, tried)


def changed(fact: Callable[[os.stat_result], float], *tried: Any) -> bool:
    """Whether a call changes what `stat` says of the victim, whatever the call says itself."""
    before = fact(_state())
    call(*tried)
    return fact(_state()) != before


# ------------------------------------------------------------------------------------------------------------- files
way("create", lambda: opens(os.O_CREAT | os.O_WRONLY, victim("new")))
way("create for reading", lambda: opens(os.O_CREAT | os.O_RDONLY, victim("new")))
way("creat", lambda: call("creat", victim("file"), PLAIN))
way("overwrite", lambda: opens(os.O_WRONLY))
way("append", lambda: opens(os.O_WRONLY | os.O_APPEND))
way("read and write", lambda: opens(os.O_RDWR))
way("cut while opening to read", lambda: opens(os.O_RDONLY | os.O_TRUNC))
way("cut while opening for nothing", lambda: opens(3 | os.O_TRUNC))
way("cut while opening to write", lambda: opens(os.O_WRONLY | os.O_TRUNC))
way("truncate", lambda: call("truncate", victim("file"), 0))
way("ftruncate", lambda: call("ftruncate", reading(), 0))
way("fallocate", lambda: call("fallocate", reading(), 3, 0, 4))
way("unnamed file", lambda: opens(0o20200000 | os.O_RDWR, victim("")))
way("unlink", lambda: call("unlink", victim("file")))
way("unlinkat", lambda: call("unlinkat", AT_FDCWD, victim("empty"), 0x200))
way("remove", lambda: call("remove", victim("file")))
way("rmdir", lambda: call("rmdir", victim("empty")))
way("rename", lambda: call("rename", victim("file"), victim("other")))
way("rename over", lambda: call("rename", mine("over"), victim("file")))
way("rename into the scratch folder", lambda: call("rename", victim("file"), scratch("taken")))
way("exchange", lambda: call("renameat2", AT_FDCWD, mine("exchanged"), AT_FDCWD, victim("file"), 2))
way("link out", lambda: call("link", mine("linked"), victim("linked")))
way("link in", lambda: call("link", victim("file"), scratch("inside")))
way("symlink", lambda: call("symlink", b"/nowhere", victim("pointer")))
way("mkdir", lambda: call("mkdir", victim("folder"), 0o755))
way("mkfifo", lambda: call("mkfifo", victim("pipe"), PLAIN))
way("mkfifo in the scratch folder", lambda: call("mkfifo", scratch("pipe"), PLAIN))
way("mknod of a file", lambda: call("mknod", victim("node"), 0o100644, 0))
way("mknod of a device", lambda: call("mknod", scratch("device"), 0o020644, 0x103))
way("chmod", lambda: changed(lambda s: s.st_mode, "chmod", victim("file"), 0o600))
way("fchmod", lambda: changed(lambda s: s.st_mode, "fchmod", reading(), 0o600))
way("fchmodat2", lambda: changed(lambda s: s.st_mode, "syscall", 452, AT_FDCWD, victim("file"), 0o600, 0))
way("chown", lambda: changed(lambda s: s.st_uid, "chown", victim("file"), 12345, 12345))
way("fchown", lambda: changed(lambda s: s.st_uid, "fchown", reading(), 12345, 12345))
way("utimensat", lambda: changed(lambda s: s.st_mtime, "utimensat", AT_FDCWD, victim("file"), bytes(32), 0))
way("futimens", lambda: changed(lambda s: s.st_mtime, "futimens", reading(), bytes(32)))
way("utime", lambda: changed(lambda s: s.st_mtime, "utime", victim("file"), bytes(16)))
way("setxattr", lambda: call("setxattr", victim("file"), b"user.edgekit", b"1", 1, 0))
way("fsetxattr", lambda: call("fsetxattr", reading(), b"user.edgekit", b"1", 1, 0))
way("removexattr", lambda: call("removexattr", victim("file"), b"user.kept"))
way("setxattrat", lambda: call("syscall", 463, AT_FDCWD, victim("file"), 0, b"user.e", struct.pack("PII", 0, 0, 0), 16))
way("file_setattr", lambda: call("syscall", 469, AT_FDCWD, victim("file"), bytes(24), 24, 0))
way("flags of the file system", lambda: call("ioctl", reading(), 0x40086602, struct.pack("l", 0x40)))
way("verity", lambda: call("ioctl", reading(), 0x40806685, struct.pack("IIIIQIIQ11Q", 1, 1, 4096, *[0] * 16)))
way("openat2", lambda: call("syscall", 437, AT_FDCWD, victim("file"), struct.pack("QQQ", os.O_WRONLY, 0, 0), 24))
way("a call of the x32 form", lambda: not ARM and call("syscall", 0x40000000 | 87, victim("file")))
way("io_uring", lambda: call("syscall", 425, 4, bytes(120)))


@_named("write by a link in the scratch folder")
def _() -> bool:
    Path(os.fsdecode(scratch("link"))).symlink_to(HERE / "victims" / "file")
    return opens(os.O_WRONLY, scratch("link"))


@_named("name an open file")
def _() -> bool:
    source = f"/proc/self/fd/{os.open(mine('named'), os.O_RDONLY)}".encode()
    return call("linkat", AT_FDCWD, source, AT_FDCWD, victim("named"), 0x400)


@_named("map a file to write")
def _() -> bool:
    C.mmap.restype = ctypes.c_void_p
    place = C.mmap(None, ctypes.c_size_t(4096), mmap.PROT_WRITE, mmap.MAP_SHARED, reading(), ctypes.c_long(0))
    return place != ctypes.c_void_p(-1).value


@_named("open by handle")
def _() -> bool:
    handle, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136), ctypes.c_int()
    if C.name_to_handle_at(AT_FDCWD, victim("file"), handle, ctypes.byref(mount), 0):
        return False
    return call("open_by_handle_at", reading("empty"), handle, os.O_RDWR)


# -------------------------------------------------------------------------------------------------- /proc, /dev, mounts
way("an open file again, to write", lambda: opens(os.O_WRONLY, f"/proc/self/fd/{reading()}".encode()))
way("own memory", lambda: opens(os.O_RDWR, b"/proc/self/mem"))
way("memory of the parent", lambda: opens(os.O_RDONLY, f"/proc/{PARENT}/mem".encode()))
way("memory of the parent, to write", lambda: opens(os.O_RDWR, f"/proc/{PARENT}/mem".encode()))
way("variables of the parent", lambda: opens(os.O_RDONLY, f"/proc/{PARENT}/environ".encode()))
way("open files of the parent", lambda: opens(os.O_RDWR, f"/proc/{PARENT}/fd/{GIVEN['open']}".encode()))
way("root of the parent", lambda: opens(os.O_RDONLY, f"/proc/{PARENT}/root/etc/hostname".encode()))
way("settings of the parent", lambda: opens(os.O_WRONLY, f"/proc/{PARENT}/oom_score_adj".encode()))
way("settings of the kernel", lambda: opens(os.O_WRONLY, b"/proc/sys/kernel/core_pattern"))
way("shared memory", lambda: opens(os.O_RDWR | os.O_CREAT, b"/dev/shm/edgekit-way-out"))
way("a terminal", lambda: opens(os.O_RDWR, b"/dev/ptmx"))
way("mount", lambda: call("mount", scratch(""), victim("empty"), None, 4096, None))
way("fsopen", lambda: call("syscall", 430, b"tmpfs", 0))
way("open_tree", lambda: call("syscall", 428, AT_FDCWD, victim("empty"), 1))
way("chroot", lambda: call("chroot", b"/"))
way("a namespace of users", lambda: call("unshare", 0x10000000))
way("a namespace of mounts", lambda: call("unshare", 0x00020000))
way("namespaces of the parent", lambda: call("setns", os.open(f"/proc/{PARENT}", os.O_RDONLY), 0x40000000))
way("all rights", lambda: call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 255, 255, 0, 0, 0, 0)))
way("a higher limit of memory", lambda: call("setrlimit", 2, struct.pack("qq", -1, -1)))


@_named("descriptors that were left open")
def _() -> bool:
    return any(path.stat().st_ino in GIVEN["inodes"] for path in Path("/proc/self/fd").iterdir() if path.exists())


# --------------------------------------------------------------------------------------------------------- processes
way("fork", lambda: _forks(C.fork))
way("clone", lambda: _forks(lambda: C.syscall(220 if ARM else 56, ctypes.c_long(17), None, None, None, None)))
way("clone3", lambda: _forks(lambda: C.syscall(435, struct.pack("11Q", *[0] * 4, 17, *[0] * 6), ctypes.c_long(88))))
way("execve", lambda: call("execve", b"/nowhere", None, None) or ctypes.get_errno() == 2)
way("posix_spawn", lambda: C.posix_spawn(bytearray_of(4), b"/bin/true", None, None, ARGUMENTS, None) == 0)
way("system", lambda: C.system(b"true") == 0)
way("memfd_create", lambda: call("memfd_create", b"code", 0))
way("execveat", lambda: kernel(322, 281, reading(), b"", None, None, 0x1000) or ctypes.get_errno() in (2, 8, 13))
way("kill", lambda: call("kill", PARENT, 0))
way("kill of all", lambda: call("kill", -PARENT, 0))
way("tkill", lambda: kernel(200, 130, PARENT, 0))
way("tgkill", lambda: kernel(234, 131, PARENT, PARENT, 0))
way("sigqueue", lambda: call("sigqueue", PARENT, 0, 0))
way("pidfd_open", lambda: call("syscall", 434, PARENT, 0))
way("pidfd_send_signal", lambda: call("syscall", 424, os.open(f"/proc/{PARENT}", os.O_RDONLY), 0, None, 0))
way("owner of signals", lambda: call("fcntl", os.pipe()[0], 8, PARENT))
way("a lease", lambda: call("fcntl", reading(), 1024, 0))
way("ptrace", lambda: call("ptrace", 0x4206, PARENT, None, None))
way("process_vm_readv", lambda: kernel(310, 270, PARENT, _vector(), 1, _vector(), 1, 0) or ctypes.get_errno() == 14)
way("process_vm_writev", lambda: kernel(311, 271, PARENT, _vector(), 1, _vector(), 1, 0) or ctypes.get_errno() == 14)
way("setpriority", lambda: call("setpriority", 0, PARENT, 1))
way("ioprio_set", lambda: kernel(251, 30, 1, PARENT, 3 << 13))
way("prlimit", lambda: call("prlimit", PARENT, 4, struct.pack("qq", 0, 0), None))
way("sched_setaffinity", lambda: kernel(203, 122, PARENT, 8, struct.pack("Q", GIVEN["cores"])))
way("sched_setscheduler", lambda: call("sched_setscheduler", PARENT, 0, struct.pack("i", 0)))

BUFFER = ctypes.create_string_buffer(8)
ARGUMENTS = (ctypes.c_char_p * 2)(b"true", None)


def bytearray_of(size: int) -> Any:
    return ctypes.create_string_buffer(size)


def _vector() -> bytes:
    return struct.pack("PN", ctypes.addressof(BUFFER), 8)


def _forks(start: Callable[[], int]) -> bool:
    number = start()
    if number == 0:
        os._exit(0)
    return number > 0


# ---------------------------------------------------------------------------------------------- networks, shared things
def _sends(family: int, kind: int, address: bytes, *, connects: bool = True) -> bool:
    made = C.socket(family, kind, 0)
    if made < 0:
        return False
    return call("connect", made, address, len(address)) if connects else True


def _unix(path: str) -> bytes:
    return struct.pack("H", 1) + os.fsencode(path)


INET = struct.pack("=H", 2) + struct.pack(">H", GIVEN["port"]) + bytes([127, 0, 0, 1]) + bytes(8)
way("TCP", lambda: _sends(2, 1, INET))
way("UDP", lambda: _sends(2, 2, INET))
way("IPv6", lambda: _sends(10, 1, b"", connects=False))
way("a socket in a folder", lambda: _sends(1, 2, _unix(GIVEN["socket"])))
way("an abstract socket", lambda: _sends(1, 2, _unix("\0" + GIVEN["abstract"])))
way("netlink", lambda: _sends(16, 3, b"", connects=False))
way("raw packets", lambda: _sends(17, 3, b"", connects=False))
way("vsock", lambda: _sends(40, 1, b"", connects=False))


@_named("a pair of sockets that sends elsewhere")
def _() -> bool:
    pair = (ctypes.c_int * 2)()
    address = _unix("\0" + GIVEN["abstract"])
    for kind in (2, 5, 1):
        if C.socketpair(1, kind, 0, pair) == 0 and call("sendto", pair[0], b"out", 3, 0x40, address, len(address)):
            return True
    return False


way("shmget", lambda: call("shmget", GIVEN["key"], 0, 0))
way("shmat", lambda: kernel(30, 196, GIVEN["segment"], None, 0))
way("shmctl", lambda: call("shmctl", GIVEN["segment"], 0, None))
way("semget", lambda: call("semget", GIVEN["key"], 1, 0o1600))
way("msgget", lambda: call("msgget", GIVEN["key"], 0o1600))
way("mq_open", lambda: call("mq_open", b"/edgekit-way-out", os.O_CREAT | os.O_RDWR, 0o600, None))
way("keys of the session", lambda: kernel(250, 219, 0, -3, 1))
way("a key", lambda: kernel(248, 217, b"user", b"edgekit", b"x", 1, -3))
way("bpf", lambda: kernel(321, 280, 0, struct.pack("IIII", 2, 4, 4, 1) + bytes(112), 128))
way("perf_event_open", lambda: kernel(298, 241, struct.pack("IIQ", 1, 128, 0) + bytes(112), 0, -1, -1, 0))
way("userfaultfd", lambda: kernel(323, 282, 1))
way("shared memory beyond the limit", lambda: _maps(mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))


def _maps(flags: int) -> bool:
    try:
        mmap.mmap(-1, 1 << 20, flags=flags)
    except OSError:
        return False
    return True


def f(answers: Any, truths: Any) -> list[float]:
    """1.0 for each way that came through, in the order of `WAYS`; the entry of metrics calls it."""
    return [float(_tried(tried)) for tried in WAYS.values()]


def _tried(tried: Callable[[], bool]) -> bool:
    try:
        return tried()
    except OSError:
        return False
