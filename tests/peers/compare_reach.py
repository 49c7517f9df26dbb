"""The table of reach: 24 architectures of transformers, imported and exported to four formats, in float and in int8.

    python tests/peers/compare_reach.py        writes docs/any-model-reach.md; about an hour on two cores

Small random weights, real samples (noise where the network has no task); an error is that of `edgekit.numerics.parity`,
on samples that did not calibrate. Cells that are there already are kept (``--json``); ``--again`` makes them anew. Exit
status 1: a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
for place in (HERE, HERE.parent):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from helpers.hub.architectures import ARCHITECTURES, Architecture  # noqa: E402
from helpers.hub.reach_cells import FLOAT, HALF, PRECISIONS, within  # noqa: E402

from edgekit.numerics.parity import limit_of  # noqa: E402

#: How many cells must reach their limit.
FLOAT_CELLS, INT8_CELLS = 90, 40
#: Seconds that a cell may take.
LONGEST = 900
COLUMNS = [
    *((name, precisions[0]) for name, precisions in PRECISIONS.items()),
    *((name, "int8") for name, precisions in PRECISIONS.items() if "int8" in precisions),
]
Cells = dict[str, dict[str, Any]]


def key(name: str, task: str, exporter: str, precision: str) -> str:
    return f"{name}/{task}/{exporter}/{precision}"


def _keys(name: str, tasks: Sequence[str], exporter: str) -> set[str]:
    return {key(name, task, exporter, precision) for task in tasks for precision in PRECISIONS[exporter]}


def measure(
    architecture: Architecture, folder: Path, exporters: Sequence[str], have: Cells
) -> Iterator[dict[str, Any]]:
    """The cells of an architecture that are not there yet, made in a process of their own, for converters may crash. A
    crash takes the rest of its exporter's cells only."""
    name, tasks = architecture.name, architecture.tasks
    left = [exporter for exporter in exporters if not _keys(name, tasks, exporter) <= have.keys()]
    while left:
        made: set[str] = set()
        mine, other = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=_child, args=(architecture, folder, left, other))
        child.start()
        other.close()
        try:
            while mine.poll(LONGEST):
                cell = mine.recv()
                made.add(key(name, cell["task"], cell["exporter"], cell["precision"]))
                yield cell
            how = f"it took more than {LONGEST} s"
        except EOFError:
            how = "its process ended"
        child.kill()
        child.join()
        broken = next((exporter for exporter in left if not _keys(name, tasks, exporter) <= made), left[-1])
        for lost in sorted(_keys(name, tasks, broken) - made):
            _, task, exporter, precision = lost.split("/")
            cell = {"name": name, "task": task, "exporter": exporter, "precision": precision}
            yield {**cell, "error": None, "said": f"UNTYPED: {how} ({child.exitcode})", "seconds": 0.0}
        left = left[left.index(broken) + 1 :]


def _child(architecture: Architecture, folder: Path, exporters: Sequence[str], out: Connection) -> None:
    from helpers.hub import reach_cells

    for cell in reach_cells.cells(architecture, folder, exporters):
        out.send(cell)


def _preload() -> None:
    """What every cell needs, loaded once."""
    import coremltools  # noqa: F401
    import executorch.exir  # noqa: F401
    import litert_torch  # noqa: F401
    import onnx  # noqa: F401
    import transformers  # noqa: F401


def page(cells: Cells) -> tuple[str, bool]:
    """The page, and whether both bars are reached."""
    notes: list[str] = []
    rows, reached = [], {"float": 0, "int8": 0}
    for entry in ARCHITECTURES:
        shown = []
        for exporter, precision in COLUMNS:
            found = [cells.get(key(entry.name, task, exporter, precision)) for task in entry.tasks]
            made = [cell for cell in found if cell is not None]
            if len(made) == len(found) and all(map(within, made)):
                reached["int8" if precision == "int8" else "float"] += 1
            shown.append(" / ".join(_shown(cell, notes) for cell in found))
        rows.append(f"| {entry.name} (`{entry.built}`) | {', '.join(entry.tasks)} | {' | '.join(shown)} |")
    count = len(ARCHITECTURES)
    head = " | ".join(f"{exporter} {precision}" for exporter, precision in COLUMNS)
    floats, whole, limit = count * len(PRECISIONS), count * 2, limit_of("int8")
    text = [
        "# Reach: architectures of transformers in four formats",
        "",
        "Made by `python tests/peers/compare_reach.py`: networks with small random weights as Hugging Face folders,",
        "imported as any folder is, exported, and compared with the fp32 reference on samples that did not calibrate.",
        "A cell is the relative error of its worst part; a number in brackets is a sentence below.",
        "",
        f"- float within {FLOAT:g} (fp16: {HALF:g}): **{reached['float']} of {floats}**, the bar is {FLOAT_CELLS}",
        f"- int8 within the limit of parity ({limit:g}): **{reached['int8']} of {whole}**, the bar is {INT8_CELLS}",
        "",
        f"| architecture | task | {head} |",
        f"|---|---|{'---|' * len(COLUMNS)}",
        *rows,
        "",
        *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
    ]
    return "\n".join(text).rstrip() + "\n", reached["float"] >= FLOAT_CELLS and reached["int8"] >= INT8_CELLS


def _shown(cell: Mapping[str, Any] | None, notes: list[str]) -> str:
    if cell is None:
        return "not measured"
    if cell["error"] is not None:
        return f"{cell['error']:.1e}" if within(cell) else f"**{cell['error']:.1e}**"
    if cell["said"] not in notes:
        notes.append(cell["said"])
    return f"[{notes.index(cell['said']) + 1}]"


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="architectures; default: all")
    parser.add_argument("--exporters", nargs="+", default=list(PRECISIONS), choices=list(PRECISIONS))
    parser.add_argument("--folders", type=Path, default=Path("build/reach"), help="where the networks are written")
    parser.add_argument("--json", type=Path, default=Path("build/reach.json"))
    parser.add_argument("--markdown", type=Path, default=Path("docs/any-model-reach.md"))
    parser.add_argument("--again", action="store_true", help="measure cells that are there already")
    arguments = parser.parse_args()
    arguments.folders.mkdir(parents=True, exist_ok=True)
    cells: Cells = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {}
    chosen = [entry for entry in ARCHITECTURES if not arguments.names or entry.name in arguments.names]
    have: Cells = {} if arguments.again else dict(cells)

    _preload()
    for entry in chosen:
        for cell in measure(entry, arguments.folders / entry.name, arguments.exporters, have):
            cells[key(cell["name"], cell["task"], cell["exporter"], cell["precision"])] = cell
            print({name: value for name, value in cell.items() if value != ""}, flush=True)
            arguments.json.write_text(json.dumps(cells, indent=1))
            arguments.markdown.write_text(page(cells)[0], encoding="utf-8")
    text, reached = page(cells)
    arguments.markdown.write_text(text, encoding="utf-8")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
