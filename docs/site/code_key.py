"""What decides the result of a Python file, so that a better comment or message makes no figure "older"."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["key", "significant"]

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def significant(source: str) -> str:
    """Python source without blank lines, comments, docstrings and what follows ``raise``."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            _clear(lines, node, " " * node.col_offset + "raise")
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            _clear(lines, node.body[0], "")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _clear(lines: list[str], node: ast.stmt, instead: str) -> None:
    last = node.end_lineno or node.lineno
    lines[node.lineno - 1 : last] = [instead, *[""] * (last - node.lineno)]


def key(files: Iterable[Path]) -> str:
    """A hash of `files` in their order, of Python files as far as they are `significant`."""
    return hashlib.sha256(b"".join(_digest(file) for file in files)).hexdigest()[:16]


@cache
def _digest(file: Path) -> bytes:
    data = file.read_bytes()
    return hashlib.sha256(significant(data.decode()).encode() if file.suffix == ".py" else data).digest()
