"""The files of edgekit that a file depends on, by its import statements, also those inside functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

#: An import statement. A parser would take a second for all files, at every start; an example in a docstring that is
#: taken for a statement only counts a file more.
_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\((?:#.*|[^)#])*\)|[^\n]+)|import[ \t]+(\w[\w., \t]*))",
    re.MULTILINE,
)
_COMMENT = re.compile(r"#.*")


def closure(files: Iterable[Path], package: Path) -> set[Path]:
    """`files` and all Python files of `package` that they import, directly or through others.

    Args:
        package: the folder of the top package. Its own ``__init__.py`` is counted but not followed: the names that a
            package exports do not decide what its modules do.
    """
    reached: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        if file != package / "__init__.py":
            waiting += [
                path for name in _find_imports(file, package.name) if (path := _file(name, package)) is not None
            ]
    return reached


def _find_imports(file: Path, top: str) -> Iterator[str]:
    """Dotted names; of ``from a import b`` both a and a.b, since b may be a module."""
    for package, imported, plain in _STATEMENT.findall(file.read_text(encoding="utf-8")):
        if package:
            pieces = _COMMENT.sub("", imported).strip("() \t\n").split(",")
            names = [package, *(f"{package}.{piece.split()[0]}" for piece in pieces if piece.strip())]
        else:
            names = [piece.split()[0] for piece in plain.split(",") if piece.strip()]
        yield from (name for name in names if name.partition(".")[0] == top)


def _file(name: str, package: Path) -> Path | None:
    """The file of a module; None if `name` is not a module (a function)."""
    place = package.joinpath(*name.split(".")[1:])
    candidates = (place.with_suffix(".py"), place / "__init__.py") if place != package else (place / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)
