"""Markdown: tables, links, the first sentences of docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["docstring", "fenced", "linked", "table", "tidy"]

#: A page of the repo that a docstring names: "docs/data.md".
_PAGE = re.compile(r"\bdocs/([\w/-]+\.md)\b")
#: An address in a docstring.
_PREPRINT = re.compile(r"\barXiv:(\d{4}\.\d{4,5})\b")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; "" without rows."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*head, *lines]) + "\n"


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def docstring(file: Path) -> str:
    """The first paragraph of a file's docstring, on one line."""
    whole = ast.get_docstring(ast.parse(file.read_text())) or ""
    return tidy(whole.split("\n\n")[0])


def tidy(text: str) -> str:
    """Text of a docstring on one line, with Markdown's code marks in place of its own."""
    return re.sub(r"\s+", " ", text).replace("``", "`").strip()


def linked(text: str, up: str) -> str:
    """The text, with links for pages of docs/ and preprints that it names. `up`: from the page to the root, "../"."""
    text = _PAGE.sub(lambda match: f"[{Path(match[1]).stem}]({up}{match[1]})", text)
    return _PREPRINT.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
