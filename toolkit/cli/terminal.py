"""Output in a terminal: tables, and a progress line on standard error that vanishes when the work is done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.core import Progress

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Standard output; plain text without colours or cropping where it is not a terminal."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `edgekit.cli.command` knows what to do; rich would end the process with 1

    # A pipe has no width: rich would fold every table at 80 columns.
    return Output() if sys.stdout.isatty() else Output(width=160, color_system=None)


def say(text: str, style: str = "") -> None:
    """Print one line: never folded, never read as markup (file names hold brackets)."""
    from rich.text import Text

    console().print(Text(text, style=style), soft_wrap=True)


def show_json(value: Any) -> None:
    """Print the JSON document of a command."""
    import json

    # Non-ASCII letters as they are if the stream's encoding has them, else as JSON escapes.
    escaped = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    print(json.dumps(value, indent=1, ensure_ascii=escaped, default=_plain))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cell text is shown as it is, never read as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heading = Text(title, style="italic") if title else None
    table = Table(title=heading, title_justify="left", box=box.SIMPLE, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


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
