"""A judge in a process of its own: started, listened to, killed at its timeout. Whatever goes wrong is a reason."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

HERE = Path(__file__).parent
#: So many processes in a row that end before they answer anything: the rest of the questions is not tried.
_TRIES = 3
#: More are no distance. Noise may be far away (values that nobody set: 1e30), and is an answer all the same.
_MOST_DECIBELS = 6000


class Judge(NamedTuple):
    """A table of judges.toml, which says what the fields are."""

    folder: Path
    name: str
    title: str
    what: str
    script: str
    forms: Sequence[str]
    files: Sequence[str]
    timeout: float
    package: str = ""
    calls: int = 0
    runs: str = ""
    largest: float = math.inf


def judges(folder: Path = HERE) -> list[Judge]:
    """Those of a folder's judges.toml, in order."""
    tables = tomllib.loads((folder / "judges.toml").read_text(encoding="utf-8")).items()
    return [Judge(folder, name, **{k: v for k, v in said.items() if k in Judge._fields}) for name, said in tables]


def pinned(judge: Judge) -> str:
    """The version of its package that the requirements beside it ask for; "" where none is pinned."""
    own = HERE.parents[2] / "requirements" / "accelerators.txt"
    files = [*judge.folder.glob("*requirements.txt"), own]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    found = re.search(rf"\b{re.escape(judge.package)}==([\w.+-]+)", text) if judge.package else None
    return found[1] if found else ""


def answers(judge: Judge, folders: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(question, answer) for every folder, in order.

    An answer without a reason has a distance from what it is "against", or says what was "placed". One that the judge
    did not give itself is marked "lost". A judge that fails at a question is started anew for the rest.
    """
    left, barren = list(folders), 0
    while left:
        before, why = len(left), ""
        for line, error in _lines(judge, tuple(left)):
            why = error
            if not why and (answer := checked(judge, name_of(left[0]), line)):
                yield name_of(left.pop(0)), answer
            else:
                why = why or f"printed no answer: {line.strip()[:80]!r}"
                break
        barren = barren + 1 if len(left) == before else 0
        for folder in left[:1] if barren < _TRIES else tuple(left):
            yield name_of(folder), {"reason": why, "lost": True}
            left.pop(0)


def name_of(folder: Path) -> str:
    return "/".join(folder.parts[-3:])


def _lines(judge: Judge, folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """(what the judge prints, "") for every folder; ("", how it failed) is the last."""
    command = [sys.executable, str(judge.folder / judge.script), judge.name, *map(str, folders)]
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "start_new_session": True}
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stderr=errors, **streams) as process:
        assert process.stdout is not None
        try:
            for _ in folders:
                begin = time.monotonic()
                timer = threading.Timer(judge.timeout, os.killpg, (process.pid, signal.SIGKILL))
                timer.start()
                line = process.stdout.readline().decode(errors="replace")
                timer.cancel()
                if time.monotonic() - begin >= judge.timeout:
                    yield "", f"hung: killed after {judge.timeout:g} s"
                elif not line:
                    errors.seek(0)
                    said = errors.read().decode(errors="replace").strip().splitlines() or ["nothing said"]
                    code = process.wait()
                    yield "", f"crashed: {signal.Signals(-code).name if code < 0 else code}, {said[-1].strip()[:200]}"
                yield line, ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def checked(judge: Judge, name: str, line: str) -> dict[str, Any] | None:
    """The answer in a line of a judge; None where it is none to the question `name`."""
    try:
        answer = dict(json.loads(line))
    except (ValueError, TypeError):
        return None
    if answer.get("question") != name:
        return None
    wanted, version, reason = pinned(judge), answer.get("version"), answer.get("reason")
    if wanted and version != wanted and (version or not reason):
        return {"reason": f"{judge.package} {version} answers, and {wanted} is asked for", "lost": True}
    away, dB = (answer.get(key) for key in ("distance", "dB"))  # noqa: N806  the unit's name
    if away is None and _is_number(dB, _MOST_DECIBELS):
        answer["distance"] = away = 10 ** (-dB / 20)
    measured = _is_number(away, 10 ** (_MOST_DECIBELS / 20)) and away >= 0 and answer.get("against") in ("here", "fp32")
    return answer if reason or measured or (away is None and answer.get("placed")) else None


def _is_number(value: Any, below: float) -> TypeGuard[float]:
    return type(value) in (int, float) and abs(value) < below
