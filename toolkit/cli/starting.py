"""`edgekit init`: a Python file to begin with, which exports as it is."""

from __future__ import annotations

import argparse
import importlib.resources
import shlex
from pathlib import Path

from edgekit.cli.terminal import show_json
from edgekit.common.files import write_whole
from edgekit.errors import BadInput


def init_(arguments: argparse.Namespace) -> None:
    path = Path(arguments.file).expanduser()
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise BadInput(f"{arguments.file!r} is not the name of a Python file.", hint="Such as edgekit init mine.py")
    if path.exists() and not arguments.force:
        raise BadInput(
            f"{path} is there already; it will not be replaced.",
            hint=f"Choose another name, or replace it: edgekit init {shlex.quote(str(path))} --force",
        )
    write_whole(path, importlib.resources.files("edgekit.cli").joinpath("starting_point.txt").read_bytes())
    if arguments.json:
        show_json({"file": str(path)})
    else:
        typed = shlex.quote(str(path))
        print(f"{path} written. Next: edgekit inspect {typed}, then edgekit export {typed} --target android")
