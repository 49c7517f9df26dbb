"""Terminal recordings: runs the commands of sessions.toml in a terminal and draws what they print as SVG.

    python docs/site/record.py laptop [DIR]        runs in DIR (default: a new folder); writes docs/assets/laptop.svg

The commands really run, so `edgekit` must be on the path. What was printed lies beside the SVG, as text.
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import tempfile
import tomllib
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
ASSETS = HERE.parent / "assets"
WIDTH = 96
#: Lines of a command's output that the picture shows.
MOST = 24

# Rich's own template loads a font from the web. This one names the fonts of the reader's system.
TEMPLATE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
THEME = TerminalTheme(
    (16, 20, 24),
    (232, 235, 238),
    [(24, 29, 35), (255, 123, 114), (79, 208, 168), (230, 159, 0)]
    + [(86, 180, 233), (204, 121, 167), (124, 197, 240), (232, 235, 238)],
)


def run(command: str, folder: Path) -> str:
    """What a command prints in a terminal of `WIDTH` columns, with its colours. Raises SystemExit if it fails."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(COLUMNS=str(WIDTH), TERM="xterm-256color")
        os.execvp("sh", ["sh", "-c", command])
    printed = b""
    while True:
        try:
            block = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not block:
            break
        printed += block
    _, status = os.waitpid(child, 0)
    text = settled(printed.decode(errors="replace"))
    if status:
        raise SystemExit(f"{command!r} failed:\n{text}")
    return text


def settled(printed: str) -> str:
    """The lines as they stand in the end, without the progress bars, which a terminal clears."""
    lines = [line.rsplit("\r", 1)[-1] for line in printed.replace("\r\n", "\n").split("\n")]
    kept = [line for line in lines if "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in line]
    return "\n".join(re.sub(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]", "", line).rstrip() for line in kept)


def main(name: str, folder: Path) -> None:
    session = tomllib.loads((HERE / "sessions.toml").read_text())[name]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    plain = []
    for command in session["commands"]:
        output = Text.from_ansi(run(command, folder).rstrip("\n").replace(f"{folder.resolve()}/", ""))
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        lines = output.split("\n")
        console.print(Text("\n").join(lines[:MOST]))
        if len(lines) > MOST:
            console.print(f"... {len(lines) - MOST} more lines", style="italic")
        console.print()
        plain.append(f"$ {command}\n{output.plain}\n")
    ASSETS.mkdir(exist_ok=True)
    (ASSETS / f"{name}.txt").write_text("\n".join(plain))
    template = TEMPLATE.replace("TITLE", session["title"])
    svg = console.export_svg(title=session["title"], theme=THEME, code_format=template, unique_id=name)
    (ASSETS / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp()))
