"""Start the child, bound its time, end it with all that it started, and read its answer as a hostile file."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from edgekit.common.documents import read_table
from edgekit.core import Facts
from edgekit.errors import BadInput, EdgekitError, MissingExtra, Unsupported

#: Seconds that foreign code may take, and the variable that changes them.
SECONDS, LIMIT = 300.0, "EDGEKIT_CODE_SECONDS"
#: Characters of the child's prints that an error shows, and bytes that are kept of them.
_SHOWN, _KEPT = 1500, 1 << 16
_MOST_ANSWER = 64 << 20
#: Variables that clean code sees; HOME and TMPDIR are its scratch folder.
_PLAIN = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")
#: What every child has: libraries say at once that a file of a hub is absent, and sets have one order each time.
_FIXED = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1"}
#: Folders that libraries write to, which lie in the scratch folder; those that they read stay the user's.
_WRITTEN = (
    *("TMPDIR", "HF_MODULES_CACHE", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"),
    *("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCH_EXTENSIONS_DIR"),
)
_ERRORS: Mapping[str, type[EdgekitError]] = {kind.__name__: kind for kind in (BadInput, Unsupported, MissingExtra)}


@dataclass(frozen=True)
class Request:
    """What the child does.

    Attributes:
        function: ``"edgekit.module:name"`` of a function of edgekit that takes `arguments` (JSON-able) and the scratch
            folder, and returns a JSON-able mapping; larger results are files in the scratch folder.
        label: name of the foreign code in messages, such as ``"net.py"``.
        scratch: an empty folder, which the caller removes. folder: of the foreign code, whose modules it may import.
        clean: for code from a hub: without the user's environment, current folder, and packages of the user's own.

    The child reads what the user can read, and writes in the scratch folder alone, which is its folder for temporary
    files, too.
    """

    function: str
    label: str
    scratch: Path
    folder: Path
    arguments: Facts = field(default_factory=dict)
    clean: bool = False


def run(request: Request) -> Mapping[str, Any]:
    """Run `request` in a process of its own, without a network, and return its answer.

    Raises:
        BadInput: the code raised (its message is the message), took too long, left without an answer, or tried what is
            forbidden: sockets, other processes, files elsewhere. Unsupported, MissingExtra: as the function raised.
    """
    seconds = _seconds()
    asked = {**asdict(request), "folder": request.folder.resolve()}
    (request.scratch / "request.json").write_text(json.dumps(asked, default=str), encoding="utf-8")
    flags = ["-P", "-s"] if request.clean else ["-P"]
    process = subprocess.Popen(
        [sys.executable, *flags, "-m", "edgekit.importers.common.foreign.child", str(request.scratch.resolve())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(request),
        cwd=request.scratch if request.clean else None,
        start_new_session=True,
    )
    assert process.stdout is not None
    said: deque[bytes] = deque(maxlen=_KEPT // 1024)
    reader = threading.Thread(target=_keep, args=(process.stdout, said), daemon=True)
    reader.start()
    try:
        status: int | None = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        _end(process)
    reader.join(timeout=5)
    process.stdout.close()
    answer = _answer(request.scratch)
    words = b"".join(said).decode("utf-8", "replace")
    if status is None:
        raise BadInput(
            f"{request.label}: {_stage(request)} took longer than {seconds:g} s and was ended.{_quote_output(words)}",
            hint=f"Make it shorter, or allow more time: {LIMIT}={2 * math.ceil(seconds)}",
        )
    if "error" in answer:
        error = _ERRORS.get(str(answer["error"]), BadInput)
        shown = _quote_output(words) if answer.get("raised") is True else ""  # what code of ours says needs no more
        raise error(_text(answer.get("message")) + shown, hint=_text(answer.get("hint")))
    if status != 0 or not isinstance(answer.get("result"), dict):
        raise BadInput(f"{request.label}: {_stage(request)} {_ending(status)}.{_quote_output(words)}")
    result: Mapping[str, Any] = answer["result"]
    return result


def _seconds() -> float:
    text = os.environ.get(LIMIT, "")
    with contextlib.suppress(ValueError):
        seconds = float(text or SECONDS)
        if 0 < seconds < 1e6:
            return seconds
    raise BadInput(f"{LIMIT}={text!r} is not a number of seconds.", hint=f"Such as {LIMIT}=600")


def _environment(request: Request) -> dict[str, str]:
    scratch = str(request.scratch.resolve())
    names = _PLAIN if request.clean else tuple(os.environ)
    plain = {name: os.environ[name] for name in names if name in os.environ}
    if request.clean:
        plain |= {"HOME": scratch, "USERPROFILE": scratch}
    return {**plain, **_FIXED, **dict.fromkeys(_WRITTEN, scratch)}


def _keep(stream: IO[bytes], said: deque[bytes]) -> None:
    """Read what the child prints, so that it never waits for us; only the end of it is kept."""
    with contextlib.suppress(OSError, ValueError):
        while block := os.read(stream.fileno(), 1024):
            said.append(block)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and every process that it has started and that has not left its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _answer(scratch: Path) -> dict[str, Any]:
    path = scratch / "answer.json"
    try:
        return {} if path.is_symlink() else read_table(path, _MOST_ANSWER)
    except (OSError, BadInput):
        return {}


def _stage(request: Request) -> str:
    """The step that the code was in, as the child noted it."""
    path = request.scratch / "stage"
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink():  # a pipe would never end
            return _text(path.read_bytes()[:200].decode("utf-8", "replace")) or "its start"
    return "its start"


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended the process with exit status {status} and gave no answer"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # a real-time signal has no name
        name = f"signal {-status}"
    memory = " (was the memory full?)" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory} and gave no answer"


def _quote_output(words: str) -> str:
    """The end of what the code printed, without control characters."""
    shown = _text(words, _KEPT).strip()[-_SHOWN:]
    return f"\n  It printed:\n    {shown.replace(chr(10), chr(10) + '    ')}" if shown else ""


def _text(value: Any, most: int = 4000) -> str:
    """Text of the child's, safe for a terminal."""
    text = value if isinstance(value, str) else ""
    return re.sub(r"[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\uffff]", "", text)[-most:]
