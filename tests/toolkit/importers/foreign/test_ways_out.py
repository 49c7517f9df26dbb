"""Foreign code that means harm: none of its ways out of the scratch folder and the process comes through."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.importers.common.foreign import Request, run
from edgekit.importers.common.foreign.scoring import ANSWERS, TRUTHS, save

SCRIPT = Path(__file__).with_name("ways_out.py")
NAMES = re.findall(r'^(?:way|@_named)\("(.+?)"', SCRIPT.read_text("utf-8"), re.MULTILINE)
C = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")


def held() -> bool:
    return int(C.syscall(444, None, ctypes.c_long(0), ctypes.c_long(1))) > 0


#: Confined by an older Landlock than the kernel's.
OLDER = """
import json, sys
from pathlib import Path
from edgekit.importers.common.foreign import guard, kernel
guard.limit_memory()
kernel.confine(Path(sys.argv[2]), int(sys.argv[3]))
sys.path.insert(0, sys.argv[1])
import ways_out
print(json.dumps([list(ways_out.WAYS), ways_out.f(None, None)]))
"""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the parent has open: sockets that hear, a shared segment, a file."""
    folder = tmp_path_factory.mktemp("parent")
    key = 0x0ED6E000 | os.getpid() & 0xFFF
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract,
        (folder / "kept").open("w+b") as kept,
    ):
        plain.bind(str(folder / "socket"))
        abstract.bind(f"\0edgekit-{os.getpid()}")
        os.set_inheritable(kept.fileno(), True)
        segment = C.shmget(key, 4096, 0o1600)
        yield {
            "parent": os.getpid(),
            "open": kept.fileno(),
            "inodes": [os.fstat(kept.fileno()).st_ino],
            "port": server.getsockname()[1],
            "socket": str(folder / "socket"),
            "abstract": f"edgekit-{os.getpid()}",
            "key": key,
            "segment": segment,
            "cores": sum(1 << core for core in os.sched_getaffinity(0)),
        }
        C.shmctl(segment, 0, None)


@pytest.fixture(scope="module", params=["the kernel's", 1, 3, 5], ids=lambda version: f"Landlock {version}")
def came_through(
    request: pytest.FixtureRequest, parent: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, bool]:
    """Way -> whether it came through, and "harm" -> whether the parent's files are others than before."""
    if not held() and "CI" not in os.environ:
        pytest.skip("this kernel has no Landlock: boot Linux 5.13 or later with lsm=landlock")
    folder, scratch = tmp_path_factory.mktemp("user"), tmp_path_factory.mktemp("scratch")
    shutil.copy(SCRIPT, folder)
    (folder / "ways.json").write_text(json.dumps(parent), "utf-8")
    (folder / "victims" / "empty").mkdir(parents=True)
    (folder / "victims" / "file").write_bytes(bytes(range(256)) * 16)
    os.setxattr(folder / "victims" / "file", "user.kept", b"1")
    before = seen(folder)
    if isinstance(request.param, int):
        command = [sys.executable, "-P", "-c", OLDER, str(folder), str(scratch), str(request.param)]
        env = {**os.environ, "TMPDIR": str(scratch)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=scratch)
        assert done.returncode == 0, done.stderr
        names, values = json.loads(done.stdout)
    else:
        names = NAMES
        for what in (ANSWERS, TRUTHS):
            save([1] * len(NAMES), scratch, what)
        asked = {"file": str(folder / "ways_out.py"), "function": "f"}
        entry = "edgekit.importers.common.foreign.scoring:score"
        values = run(Request(entry, "ways_out.py", scratch, folder, asked))["values"]
    assert names == NAMES and len(values) == len(NAMES)
    return {**dict(zip(names, map(bool, values), strict=True)), "harm": seen(folder) != before}


def seen(folder: Path) -> list[Any]:
    """Names, contents, modes, owners, times and attributes below `folder`."""
    facts = []
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        facts.append((path.name, content, state.st_mode, state.st_uid, state.st_mtime_ns, state.st_nlink))
        facts.append((path.name, {name: os.getxattr(path, name) for name in os.listxattr(path)}))
    return facts


def test_there_are_at_least_fifty_ways() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 50


@pytest.mark.parametrize("name", NAMES)
def test_no_way_out_comes_through(name: str, came_through: Mapping[str, bool]) -> None:
    assert not came_through[name]


def test_nothing_of_the_user_has_changed(came_through: Mapping[str, bool]) -> None:
    assert not came_through["harm"]
