"""Output in a terminal: tables, and a progress line on standard error that vanishes when the work is done."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

from edgekit.core import Facts
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from rich.console import Console

    from edgekit.core import Progress


def console() -> Console:
    """Standard output; plain text without colours or cropping where it is not a terminal."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `edgekit.cli.command` knows what to do; rich would end the process with 1

    if sys.stdout.isatty():
        return Output()
    # A pipe has no width: rich would fold every table at 80 columns.
    return Output(width=160, color_system=None, file=cast("IO[str]", _Trimmed(sys.stdout)))


#: A longer word is broken, in letters.
_LONG = 32


class _Trimmed:
    """A text stream whose lines lose the spaces at their ends, with which rich fills a table's columns."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines, as a `rich.console.Console` does after each print."""
        self._stream.write("\n".join(line.rstrip(" ") for line in text.split("\n")))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(text: str, style: str = "") -> None:
    """Print one line: never folded, never read as markup (file names hold brackets)."""
    from rich.text import Text

    console().print(Text(text, style=style), soft_wrap=True)


def show_json(value: Any) -> None:
    """Print the JSON document of a command. Numbers that JSON lacks (infinity, NaN) are null."""
    import json

    # Non-ASCII letters as they are if the stream's encoding has them, else as JSON escapes.
    escaped = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    print(json.dumps(_plain(value), indent=1, ensure_ascii=escaped, default=str))


def error_facts(exc: EdgekitError) -> Facts:
    """An error for ``--json``."""
    return {"error": type(exc).__name__, "message": exc.message, "hint": exc.hint, "exit_code": exc.exit_code}


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cell text is shown as it is, never read as markup.

    Where the terminal is too narrow for the longest words, each row becomes a block with a line a column.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    output = console()
    if _least_width(columns, rows) > output.width and len(columns) > 2:
        _show_blocks(output, title, columns, rows)
        return
    heading = Text(title, style="italic") if title else None
    table = Table(title=heading, title_justify="left", box=box.SIMPLE, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    output.print(table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width of a table that breaks no word but the longest, such as paths."""
    cells = zip(columns, *rows, strict=True)
    longest = [max((len(word) for cell in column for word in cell.split()), default=0) for column in cells]
    return sum(min(width, _LONG) for width in longest) + 2 * (len(columns) + 1)


def _show_blocks(output: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if title:
        output.print(Text(title, style="italic"))
    for row in rows:
        output.print(Text(row[0], style="bold"), soft_wrap=True)
        for name, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                output.print(Padding(Text(f"{name}: {cell}" if name else cell), (0, 0, 0, 2)))


@contextlib.contextmanager
def working() -> Iterator[Progress]:
    """A `Progress` that shows a bar with the time left in a terminal, and one line a step elsewhere (a CI log)."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def tell(what: str, done: int, total: int) -> None:
            if bars.tasks[0].description != what:
                bars.reset(task, description=what, total=total or None)
            bars.update(task, completed=done, total=total or None)

        yield tell


def _lines() -> Progress:
    last = ""

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        if what != last:
            print(f"edgekit: {what}", file=sys.stderr, flush=True)
            last = what

    return tell
