"""The user's own Python file: ``net.py:build``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgekit.core import Facts, Importer, ImportOptions, Inspection, Json, Model, Progress
from edgekit.errors import BadInput, boundary

_ADDRESS = re.compile(r"(?P<file>.+\.py)(:(?P<function>[A-Za-z_]\w*))?")
_OWN = "Preprocessing is the user's own code, and does not ship: an app must do the same."


class PythonFile(Importer):
    name = "python-file"
    form = "FILE.py:build"
    extra = "export"

    def accepts(self, source: str) -> bool:
        return "://" not in source and _ADDRESS.fullmatch(source) is not None

    def inspect(self, source: str, options: ImportOptions, progress: Progress) -> Inspection:
        from dataclasses import replace

        from edgekit.importers.common.graphs import bounds_of, inspect_program

        held = _trace_file(source, options, progress)
        bounds = bounds_of(held.program, options.axes)
        answer = inspect_program(source, self.name, held.program, bounds, ("tensors",))
        return replace(
            answer,
            architecture=held.facts["architecture"],
            tasks=("tensors", "image-classification") if held.facts["labels"] else answer.tasks,
            notes=(*answer.notes, *_notes(held.facts)),
        )

    def model(self, source: str, options: ImportOptions, progress: Progress) -> Model:
        from edgekit.importers.common.foreign.metric import declares, evaluation_of
        from edgekit.importers.common.graphs import bounds_of, declared_graph

        held = _trace_file(source, options, progress)
        bounds = bounds_of(held.program, options.axes)
        for note in (*bounds.notes, *_notes(held.facts)):
            progress(note, 0, 0)
        file = Path(_split(source)[0]).expanduser()
        evaluation = None
        if held.facts["score"] and not options.metric and declares(file, "score"):
            evaluation = evaluation_of(f"{file}:score")
        facts: dict[str, Json] = {"notes": _notes(held.facts)} if _notes(held.facts) else {}
        if held.facts["preprocess"]:
            facts["preprocessing"] = _OWN
        return declared_graph(
            source,
            self.name,
            held.program,
            bounds,
            options,
            held.samples,
            synthetic=held.facts["synthetic"],
            origin=f"examples() of {file.name}.",
            labels=held.facts["labels"],
            facts=facts,
            evaluation=evaluation,
        )


def _trace_file(source: str, options: ImportOptions, progress: Progress) -> Any:
    from edgekit.importers.common.foreign.traced import trace_in_child

    file, function = _split(source)
    path = Path(file).expanduser()
    if not path.is_file():
        raise BadInput(f"there is no file {file!r}.", hint=f"`edgekit init {file}` writes one to begin with.")
    progress(f"running {path.name} in a process of its own", 0, 0)
    with boundary():
        path = path.resolve()
        asked: Facts = {"file": str(path), "function": function, "axes": dict(options.axes)}
        return trace_in_child("edgekit.importers.python_file.tracing:trace", path.name, path.parent, asked)


def _split(source: str) -> tuple[str, str]:
    match = _ADDRESS.fullmatch(source)
    assert match is not None, "accepted before"
    return match["file"], match["function"] or ""


def _notes(facts: Any) -> list[str]:
    noise = ["its inputs are noise: get_args() has no real ones; write examples()"] if facts["synthetic"] else []
    return [*facts["notes"], *noise]


IMPORTER = PythonFile()
