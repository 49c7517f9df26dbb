"""A judge in a process of its own: started, listened to, killed at its timeout. Whatever goes wrong is a reason."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
#: So many processes in a row that end before they answer anything: the rest of the questions is not tried.
_TRIES = 3

Answer = dict[str, Any]


class Judge(NamedTuple):
    """What a file judge_NAME.py declares in capitals.

    Attributes:
        name, what: its column, and a line about it ("{version}" is filled in). forms, files: forms of bundles that it
            takes, and suffixes of files (none: all). timeout: seconds for a question.
        python: its interpreter. package: the distribution whose pinned version must answer; "" is not checked.
    """

    path: Path
    name: str
    what: str
    forms: tuple[str, ...]
    files: tuple[str, ...]
    timeout: float
    python: Path
    package: str


def judges(folder: Path = HERE) -> list[Judge]:
    """Those of a folder. Their files are read and not imported: a judge's libraries are in another environment."""
    return [read(path) for path in sorted(folder.glob("judge_*.py"))]


def read(path: Path) -> Judge:
    said: dict[str, Any] = {"WHAT": "", "FILES": (), "PYTHON": "", "PACKAGE": ""}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                said[node.targets[0].id] = ast.literal_eval(node.value)
    python = Path(said["PYTHON"]) / "bin" / "python" if said["PYTHON"] else Path(sys.executable)
    names = ("NAME", "WHAT", "FORMS", "FILES", "TIMEOUT")
    return Judge(path, *(said[name] for name in names), python=python, package=said["PACKAGE"])


def pinned(judge: Judge) -> str:
    """The version of its package that the requirements beside it ask for; "" where none is pinned."""
    files = [*judge.path.parent.glob("*requirements.txt"), *judge.path.parent.glob("*/package.json")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    found = re.search(rf'^[\s{{"]*.*?\b{re.escape(judge.package)}(?:==|": ")([\w.+-]+)', text, re.MULTILINE)
    return found[1] if judge.package and found else ""


def answers(judge: Judge, folders: Sequence[Path]) -> Iterator[tuple[str, Answer, bool]]:
    """(question, answer, whether the judge itself gave it) for every folder, in order. An answer without a reason has a
    distance from what it is "against", or says what was "placed". A judge that fails at one question is started anew
    for the rest."""
    left, barren = list(folders), 0
    if not judge.python.exists():
        for folder in folders:
            yield name_of(folder), {"reason": f"absent: {judge.python.parent.parent.name} was not made"}, False
        return
    while left:
        before, why = len(left), ""
        for name, answer, why in _attempt(judge, tuple(left)):
            if answer:
                left.pop(0)
                yield name, answer, True
        if left:
            barren = barren + 1 if len(left) == before else 0
            for folder in left if barren == _TRIES else left[:1]:
                yield name_of(folder), {"reason": why}, False
            left = [] if barren == _TRIES else left[1:]


def name_of(folder: Path) -> str:
    return "/".join(folder.parts[-3:])


def _attempt(judge: Judge, folders: Sequence[Path]) -> Iterator[tuple[str, Answer, str]]:
    """The answers of one process; at its end, where it failed, ("", {}, why)."""
    lines: queue.Queue[str | None] = queue.Queue()
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [str(judge.python), str(judge.path), *map(str, folders)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            start_new_session=True,
        )

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)
            lines.put(None)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            for folder in folders:
                line = lines.get(timeout=judge.timeout)
                if line is None:
                    yield "", {}, f"crashed: {_last_words(process, errors)}"
                    return
                answer = _checked(judge, name_of(folder), line)
                if answer is None:
                    yield "", {}, f"printed no answer: {line.strip()[:80]!r}"
                    return
                yield name_of(folder), answer, ""
        except queue.Empty:
            yield "", {}, f"hung: killed after {judge.timeout:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            thread.join(10)
            if process.stdout:
                process.stdout.close()


def _last_words(process: subprocess.Popen[str], errors: Any) -> str:
    """How a process ended, and the last line that it printed about it."""
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        return "it closed its output and went on"
    errors.seek(0)
    said = [line.strip() for line in errors.read().splitlines() if line.strip()] or [""]
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"{how} {said[-1][:200]}".strip()


def _checked(judge: Judge, name: str, line: str) -> Answer | None:
    """The answer in a line of a judge; None where it is none to the question `name`."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("question") != name:
        return None
    wanted, version = pinned(judge), answer.get("version")
    if wanted and version and version != wanted:
        return {"reason": f"{judge.package} {version} answers, and {wanted} is asked for"}
    if answer.get("reason"):
        return answer
    if _finite(answer.get("dB")) and "distance" not in answer:
        answer["distance"] = 10 ** (-answer["dB"] / 20)
    if _finite(answer.get("distance")) and answer["distance"] >= 0 and answer.get("against") in ("here", "fp32"):
        return answer
    return answer if answer.get("placed") and answer.get("distance") is None else None


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
