"""The prose in the code: messages of errors with their hints, and public docstrings, as passages for the linter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

#: Errors of one sentence, whose first argument is the message.
_ERRORS = ("BadInput", "Unsupported", "ExportFailed", "MissingExtra", "EdgekitError")
_SECTION = re.compile(r"^(?:Args|Attributes|Raises|Returns|Yields|Examples?):\s*")
#: An item of a section: a name, or names, before a colon; several may stand on a line.
#: A list of fields, each with its meaning, is no sentence; neither is what stands in brackets, such as a paper's title.
_FIELDS = re.compile(r"(?:[`\"]\w[^`\"]*[`\"][^`\"]*){4,}")
_ASIDE = re.compile(r"\([^()]*\)")
_ITEM = re.compile(r"(?:^|(?<=[.;]) )[*`]*\w+(?:, \w+)*[`]*: ", re.MULTILINE)


def messages(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each error's message and hint. A value inside of a message is the word X."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper():
            hints = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
            if hints or node.func.id in _ERRORS:
                yield from ((part.lineno, _text(part)) for part in [*node.args[:1], *hints] if _text(part))


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each paragraph, or item of a section, in the docstrings of a module and its public names."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text and not getattr(node, "name", "public").startswith("_"):
                line = node.body[0].lineno
                yield from ((line, clause) for part in _parts(text) for clause in _clauses(part))


def _parts(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        if re.match(r"    |\t|>>> |``", paragraph) and not _SECTION.match(paragraph):
            continue  # a command or a table
        section = _SECTION.match(paragraph)
        if not section:
            yield from re.split(r"\n\s*[-*] ", paragraph)
            continue
        lines = [line.strip() for line in paragraph[section.end() :].split("\n")]
        starts = re.sub(r"(?m)^(?=[*`]*\w+(?:, \w+)*`*: )", "\n\n", "\n".join(lines))
        for item in starts.split("\n\n"):
            yield from (piece for piece in _ITEM.split(item) if piece and piece.strip())


def _clauses(text: str) -> list[str]:
    """What stands between full stops, colons and semicolons: docstrings are read piece by piece."""
    return [] if _FIELDS.search(text) else re.split(r"[:;]\s", _ASIDE.sub("", _ASIDE.sub("", text)))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
