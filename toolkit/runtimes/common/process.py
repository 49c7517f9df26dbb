"""A vendor's library in a process of its own: it may crash, hang or write to the terminal, and edgekit goes on.

Both sides are here. Questions and answers are a line of JSON each; arrays lie beside them in .npz files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from edgekit.common.lazy import NDArray, np
from edgekit.errors import CannotRun

if TYPE_CHECKING:
    #: A question or an answer without its arrays: what JSON has.
    Words = Mapping[str, Any]
    Arrays = Mapping[str, NDArray[Any]]


class Process:
    """A process that answers questions, started with the first one, and again after it was ended.

    Args:
        module: what it runs, which calls `serve`. what: the library, for messages. limit: seconds of an answer.
    """

    def __init__(self, module: str, what: str, limit: float) -> None:
        self._module, self._what, self._limit = module, what, limit
        self._running: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-process-"))
        self._gone = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._lock = threading.Lock()

    def ask(self, words: Words, arrays: Arrays | None = None) -> tuple[Words, Arrays]:
        """The answer to a question.

        Raises:
            CannotRun: the library refuses it, takes longer than the limit, crashes, or answers no JSON. The process
                is ended then, and the next question starts another one.
        """
        with self._lock:
            question = {**words, "arrays": _write(self._folder / "question.npz", arrays or {})}
            answer = self._exchange(json.dumps(question).encode() + b"\n")
            if refused := answer.get("refused"):
                raise CannotRun(f"{self._what}: {refused}")
            return answer, _read(self._folder / "answer.npz", answer.pop("arrays"))

    def _exchange(self, question: bytes) -> dict[str, Any]:
        process = self._running if self._running is not None else self._start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self._limit, end)
        timer.start()
        line, whole = b"", False
        try:
            with contextlib.suppress(OSError):
                process.stdin.write(question)
                process.stdin.flush()
                line = process.stdout.readline()
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                whole = isinstance(answer, dict)
                if whole:
                    return dict(answer)
        finally:
            timer.cancel()
            if not whole:  # Ctrl-C, too: what is half asked cannot be asked on
                self.close()
        why = f"took longer than {self._limit:g} s, and was ended" if late.is_set() else self._ending(process)
        raise CannotRun(f"{self._what} {why}.")

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._folder / "errors").open("wb") as errors:
            self._running = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        return self._running

    def _ending(self, process: subprocess.Popen[bytes]) -> str:
        """How a process ended that gave no answer, with the last that it said."""
        code = process.wait()
        said = (self._folder / "errors").read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
        how = signal.Signals(-code).name if code < 0 else f"status {code}"
        return f"crashed ({how}{f': {said[-1].strip()[:200]}' if said else ''})"

    def close(self) -> None:
        """End the process, if it runs."""
        process, self._running = self._running, None
        if process is not None:
            _kill(process)
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]  # both are pipes
            process.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._gone()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def serve(answer: Callable[[Words, Arrays], tuple[Words, Arrays]]) -> None:
    """The other side: answer questions until there are no more. What `answer` raises is a refusal."""
    folder = Path(sys.argv[1])
    channel = _take_channel()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    for line in sys.stdin.buffer:
        try:
            question = json.loads(line)
            words, values = answer(question, _read(folder / "question.npz", question["arrays"]))
            said = {**words, "arrays": _write(folder / "answer.npz", values)}
        except Exception as exc:  # a library may raise anything
            text = " ".join(str(exc).split())
            said = {"refused": (text if type(exc) is RuntimeError else f"{type(exc).__name__}: {text}")[:500]}
        channel.write(json.dumps(said).encode() + b"\n")
        channel.flush()


def _end_with(parent: int) -> None:
    """End this process when the one that asks is gone: a library that hangs would live on for good."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _write(file: Path, arrays: Arrays) -> list[str]:
    """Write arrays, which keep their order. Returns their names."""
    if arrays:
        np.savez(file, *arrays.values())
    return list(arrays)


def _read(file: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    if not names:
        return {}
    with np.load(file, allow_pickle=False) as held:
        return {name: held[f"arr_{i}"] for i, name in enumerate(names)}


def _take_channel() -> BinaryIO:
    """The pipe to who asks. What libraries print goes to the errors from now on."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel
