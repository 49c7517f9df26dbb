"""The child: ``python -m edgekit.importers.common.foreign.child SCRATCH`` does what SCRATCH/request.json says."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from edgekit.common.lazy import np, torch
from edgekit.errors import EdgekitError
from edgekit.importers.common.foreign import guard, kernel

#: Where torch's messages turn from what happened to advice on debugging torch.
_ADVICE = re.compile(r"\s*$|For more|For extended|Caused by|If you suspect|consider using")

_scratch = Path()
_request: dict[str, Any] = {}


def stage(what: str) -> None:
    """Note the step that foreign code is in, for the message if it never comes back."""
    (_scratch / "stage").write_text(what, encoding="utf-8")


def begin() -> None:
    """Draw the random numbers that foreign code does not seed itself from one seed: the same weights each time."""
    import random

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def main(scratch: Path) -> int:
    """Answer the request in `scratch`; returns the exit status."""
    global _scratch, _request
    _scratch = scratch
    _request = request = json.loads((scratch / "request.json").read_text(encoding="utf-8"))
    stage("its start")
    guard.limit_memory()
    kernel.confine(scratch)  # before any import that starts threads
    module, name = request["function"].split(":")
    function = getattr(importlib.import_module(module), name)
    guard.forbid(scratch)
    sys.path.insert(0, request["folder"])
    try:
        answer = {"result": function(request["arguments"], scratch)}
    except EdgekitError as exc:
        answer = {"error": type(exc).__name__, "message": exc.message, "hint": exc.hint}
    except BaseException as exc:
        answer = {"error": "BadInput", "message": _describe_exception(exc), "hint": _hint(exc), "raised": True}
    fresh = scratch / "answer.json.part"
    fresh.write_text(json.dumps(answer), encoding="utf-8")
    fresh.replace(scratch / "answer.json")
    return 0


def _describe_exception(exc: BaseException) -> str:
    """The exception in a sentence: ``net.py, line 7: build() raised ValueError: no such layer``."""
    where = f"{place_of(exc)}: {(_scratch / 'stage').read_text(encoding='utf-8')}"
    if isinstance(exc, guard.Refused):
        return f"{where} {exc}."
    try:
        lines = str(exc).strip().splitlines()
    except Exception:  # an exception whose text cannot be had
        lines = []
    text = "\n".join(itertools.takewhile(lambda line: not _ADVICE.match(line), lines[:12]))[:2000]
    return f"{where} raised {type(exc).__name__}{': ' + text if text else ''}"


def place_of(exc: BaseException) -> str:
    """The foreign file, with the last line of its folder's files that the exception passed through."""
    label = str(_request["label"])
    if isinstance(exc, SyntaxError) and exc.lineno:
        return f"{label}, line {exc.lineno}"
    folder, line = _request["folder"] + os.sep, ""
    for frame in traceback.extract_tb(exc.__traceback__):
        path = Path(frame.filename)
        if path.is_file() and os.path.realpath(path).startswith(folder):
            line = f", line {frame.lineno}" if path.name == label else f" ({path.name}, line {frame.lineno})"
    return label + line


def _hint(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, PermissionError):  # of ours in words, or of the kernel
            return (
                "Foreign code runs alone, without a network, and writes to tempfile.gettempdir() only: put the files "
                "that it needs beside it."
            )
        if isinstance(cause, ModuleNotFoundError):
            return f"Install {cause.name!r} beside edgekit, or put it into the same folder."
        if isinstance(cause, TypeError) and "got FakeTensor" in str(cause):
            return "A size must not come from a tensor's values, as of packed lengths: pad to one length, and mask it."
        cause = cause.__cause__ or cause.__context__
    return ""


if __name__ == "__main__":
    # The functions of ours import this module by its name, not as the main one: both must be the same.
    sys.modules["edgekit.importers.common.foreign.child"] = sys.modules["__main__"]
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads and exit handlers of foreign code are not waited for
