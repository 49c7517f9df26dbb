"""What a person sees of a table."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console


def shown(renderable: Any) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
