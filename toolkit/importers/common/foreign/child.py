"""The child: ``python -m edgekit.importers.common.foreign.child SCRATCH`` does what SCRATCH/request.json says."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError
from edgekit.importers.common.foreign import guard

__all__ = ["main", "stage"]

_scratch = Path()


def stage(what: str) -> None:
    """Note the step that foreign code is in, for the message if it never comes back."""
    (_scratch / "stage").write_text(what, encoding="utf-8")


def main(scratch: Path) -> int:
    """Answer the request in `scratch`; returns the exit status."""
    global _scratch
    _scratch = scratch
    request = json.loads((scratch / "request.json").read_text(encoding="utf-8"))
    module, name = request["function"].split(":")
    function = getattr(importlib.import_module(module), name)
    guard.limit_memory()
    guard.isolate()
    guard.forbid(scratch, writes=bool(request["clean"]))
    sys.path.insert(0, request["folder"])
    try:
        answer = {"result": function(request["arguments"], scratch)}
    except EdgekitError as exc:
        answer = {"error": type(exc).__name__, "message": exc.message, "hint": exc.hint}
    except BaseException as exc:
        answer = {"error": "BadInput", "message": _said(exc, request), "hint": _hint(exc)}
    fresh = scratch / "answer.json.part"
    fresh.write_text(json.dumps(answer), encoding="utf-8")
    fresh.replace(scratch / "answer.json")
    return 0


def _said(exc: BaseException, request: dict[str, Any]) -> str:
    """The exception in a sentence: ``net.py, line 7: build() raised ValueError: no such layer``."""
    folder, line = request["folder"] + os.sep, ""
    for frame in traceback.extract_tb(exc.__traceback__):
        if os.path.realpath(frame.filename).startswith(folder):
            name = Path(frame.filename).name
            line = f", line {frame.lineno}" if name == request["label"] else f" ({name}, line {frame.lineno})"
    if isinstance(exc, SyntaxError) and exc.lineno:
        line = f", line {exc.lineno}"
    try:
        step = (_scratch / "stage").read_text(encoding="utf-8")
        text = str(exc).strip()
    except Exception:  # an exception whose text cannot be had
        step, text = "its start", ""
    text = "\n".join(text.splitlines()[:12])[:2000]
    return f"{request['label']}{line}: {step} raised {type(exc).__name__}{': ' + text if text else ''}"


def _hint(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, guard.Refused):
            return "Foreign code runs without a network and alone: put the files that it needs beside it."
        if isinstance(cause, ModuleNotFoundError):
            return f"Install {cause.name!r} beside edgekit, or put it into the same folder."
        cause = cause.__cause__ or cause.__context__
    return ""


if __name__ == "__main__":
    # The functions of ours import this module by its name, not as the main one: both must be the same.
    sys.modules["edgekit.importers.common.foreign.child"] = sys.modules["__main__"]
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads and exit handlers of foreign code are not waited for
