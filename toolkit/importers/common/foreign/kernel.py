"""The walls that Linux puts around the child, also around compiled code: Landlock, seccomp, fewer rights.

Landlock holds files: they are written, made, cut, renamed and removed inside one folder only. Seccomp refuses the calls
that reach other processes, networks or shared objects of the kernel. Rights of an administrator are dropped. What an
older Landlock lacks (cutting a file by its path before its third version; sockets, devices, signals) seccomp refuses
as well.

Sources: Linux, Documentation/userspace-api/landlock.rst and seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

#: Calls that are refused: their numbers on x86-64 and on arm64 (0: it has none), in that order.
_REFUSED = """
socket 41 198, connect 42 203, bind 49 200, execve 59 221, execveat 322 281, fork 57 0, vfork 58 0, kill 62 129,
tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_open 434 434, pidfd_send_signal 424 424,
pidfd_getfd 438 438, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440,
process_mrelease 448 448, kcmp 312 272, move_pages 279 239, migrate_pages 256 238, setpriority 141 140,
ioprio_set 251 30, unshare 272 97, setns 308 268, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282,
add_key 248 217, request_key 249 218, keyctl 250 219, open_by_handle_at 304 265, truncate 76 45, memfd_create 319 279,
shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192,
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181, setxattr 188 5,
lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16
"""
#: Calls that the kernel is said not to have: what they would do is hidden in memory, and libraries know another way.
_ABSENT = "clone3 435 435, openat2 437 437, io_uring_setup 425 425"
#: Calls that do nothing and say that they did: modes, owners and times of files. Landlock does not hold them, and the
#: standard library's copies of files fail where they are refused.
_IDLE = """
chmod 90 0, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 0, fchown 93 55, lchown 94 0, fchownat 260 54,
utime 132 0, utimes 235 0, futimesat 261 0, utimensat 280 88
"""
#: Calls that a process may make about itself.
_ON_ITSELF = """
prlimit64 302 261, sched_setaffinity 203 122, sched_setparam 142 118, sched_setscheduler 144 119, sched_setattr 314 274
"""
#: The last call that is known here. Later ones are absent, and so are those of the x32 form, which have higher numbers.
_LAST = 462
_TAGS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _DONE = 0x7FFF0000, 0x00050000
_EPERM, _ENOMEM, _ENOTTY, _ENOSYS = _DONE | 1, _DONE | 12, _DONE | 25, _DONE | 38
_ALL = 0xFFFFFFFF

#: Landlock's rights by its version: writing of every kind, running of programs, devices. Reading is not among them.
_RIGHTS = {1: 0x1FF3, 2: 0x3FF3, 3: 0x7FF3, 5: 0xFFF3}
#: To write, cut, make and remove plain files, folders and links, and to move them.
_INSIDE, _WRITE = 0x71B2, 0x4002
_MAY_READ_ANY = 1 << 2  # CAP_DAC_READ_SEARCH: an administrator's files of other users can be read, and no more


def confine(scratch: Path, landlock: int | None = None) -> bool:
    """Hold this process, which must have a single thread, to writing in `scratch` and to itself.

    Args:
        landlock: version of Landlock to use at most; None: the kernel's.

    Returns:
        Whether the kernel holds both files and processes; False on systems that cannot hold one of them.

    Raises:
        OSError: the kernel has Landlock and does not put it up. RuntimeError: other threads run, which it would not
            hold.
    """
    if sys.platform != "linux":
        return False
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("code of another file started threads before the walls stood")
    library = ctypes.CDLL(None, use_errno=True)
    library.unshare(0x48000000)  # networks and shared memory of its own: an administrator's process may ask for them
    _call(library, "prctl", 38, 1, 0, 0, 0)  # no new rights, by no program
    held = _hold_files(library, scratch, landlock)
    _drop_rights(library)
    return _refuse_calls(library) and held


def _call(library: ctypes.CDLL, name: str, *arguments: int | bytes | None) -> int:
    """A function of the C library. Raises OSError where it fails."""
    function = library[name]
    answer = int(function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return answer


def _hold_files(library: ctypes.CDLL, scratch: Path, most: int | None) -> bool:
    create, add, restrict = 444, 445, 446
    version = int(library.syscall(create, None, ctypes.c_long(0), ctypes.c_long(1)))
    version = min(version, most or version)
    if version < 1:
        return False
    rights = _RIGHTS[max(known for known in _RIGHTS if known <= version)]
    networks, scopes = 3 * (version >= 4), 3 * (version >= 6)  # TCP; abstract sockets and signals
    rules = _call(library, "syscall", create, struct.pack("QQQ", rights, networks, scopes), 24, 0)
    for path, allowed in ((scratch, _INSIDE), (Path(os.devnull), _WRITE)):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _call(library, "syscall", add, rules, 1, struct.pack("=Qi", allowed & rights, place), 0)
        os.close(place)
    _call(library, "syscall", restrict, rules, 0)
    os.close(rules)
    return True


def _drop_rights(library: ctypes.CDLL) -> None:
    """Keep no right of an administrator but that to read."""
    head, now = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    library.capget(head, now)
    kept = struct.unpack("6I", now.raw)[1] & _MAY_READ_ANY
    _call(library, "capset", head, struct.pack("6I", kept, kept, 0, 0, 0, 0))


def _refuse_calls(library: ctypes.CDLL) -> bool:
    machine = platform.machine()
    if machine not in _TAGS:
        return False
    code = _filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    no_filters = library.prctl(22, ctypes.c_long(2), program, ctypes.c_long(0), ctypes.c_long(0))
    return not no_filters


def _filter(machine: str) -> bytes:
    """A program of the kernel's packet filter: what each call is answered with."""
    load, mask, equal, above, give = 0x20, 0x54, 0x15, 0x25, 0x06
    column = 1 + list(_TAGS).index(machine)

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    def numbers(table: str) -> list[int]:
        return [number for item in table.split(",") if (number := int(item.split()[column]))]

    def when(call: str, argument: int, bits: int, values: list[int], then: int, otherwise: int) -> list[bytes]:
        """The answer to a call by the `bits` of one of its arguments."""
        tests = [step(equal, value, len(values) - i) for i, value in enumerate(values)]
        block = [step(load, 16 + 8 * argument), step(mask, bits), *tests, step(give, otherwise), step(give, then)]
        return [one for number in numbers(call) for one in (step(equal, number, 0, len(block)), *block)]

    own = [0, os.getpid()]
    steps = [step(load, 4), step(equal, _TAGS[machine], 1), step(give, _EPERM), step(load, 0)]
    steps += [step(above, _LAST, 0, 1), step(give, _ENOSYS)]
    for table, answer in ((_REFUSED, _EPERM), (_ABSENT, _ENOSYS), (_IDLE, _DONE)):
        for number in numbers(table):
            steps += [step(equal, number, 0, 1), step(give, answer)]
    steps += when("clone 56 220", 0, 0x10000, [0x10000], _ALLOW, _EPERM)  # threads are made by it, and processes
    steps += when("tgkill 234 131", 0, _ALL, own[1:], _ALLOW, _EPERM)  # by which a process aborts itself
    for call in _ON_ITSELF.split(","):
        steps += when(call, 0, _ALL, own, _ALLOW, _EPERM)
    # Only questions about terminals and pipes, and what is closed by exec: others change files, and devices.
    steps += when("ioctl 16 29", 1, _ALL, [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451], _ALLOW, _ENOTTY)
    # Signals to an owner, leases, notices of folders.
    steps += when("fcntl 72 25", 1, _ALL, [8, 10, 15, 1024, 1026], _EPERM, _ALLOW)
    steps += when("socketpair 53 199", 1, 0xF, [1], _ALLOW, _EPERM)  # a stream sends to its other end alone
    steps += when("mmap 9 222", 3, 0x21, [0x21], _ENOMEM, _ALLOW)  # shared memory is beyond the limit of memory
    # To open for reading, or for nothing, and to cut: Landlock knows it from its third version on.
    for call, argument in (("open 2 0", 1), ("openat 257 56", 2)):
        steps += when(call, argument, 0x203, [0x200, 0x203], _EPERM, _ALLOW)
    return b"".join([*steps, step(give, _ALLOW)])
