"""JavaScript of the web packages in Node on this machine. jvm.py has the process that it talks with."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import absent

REPO = Path(__file__).parents[3]
HARNESS = REPO / "tests" / "targets" / "javascript"
LOOPS = REPO / "targets" / "web" / "app" / "loops"


def loops(out: Path) -> str:
    """The program over the loops as they lie here: nothing of it is compiled."""
    if shutil.which("node") is None:
        absent("there is no Node; get it with: make browser-tools")
    return str(HARNESS / "Peer.mjs")


def command(program: str, folder: Path) -> list[str]:
    """What starts the loops over the assets in a folder."""
    return ["node", program, str(folder)]
