"""What a user's Python file imports, as a hash: another content or version of any of it is another metric."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from edgekit.common.files import hash_file


def digest(file: Path) -> str:
    """Hash of `file` and of all that it imports: the content of files, the versions of installed packages."""
    waiting, lines, known = [file.resolve()], [], set(sys.stdlib_module_names)
    known -= {path.stem for path in file.resolve().parent.iterdir()}  # what lies beside the file comes first
    while waiting:
        code = waiting.pop()
        lines.append(hash_file(code))
        for top in sorted(set(_find_imports(code)) - known):
            known.add(top)
            files = _files(top, file.resolve().parent)
            waiting += files
            lines.append(f"{top} {len(files) or _versions(top)}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _find_imports(file: Path) -> Iterator[str]:
    """The first names of the modules that a file imports anywhere; none where it is not Python."""
    try:
        nodes = ast.walk(ast.parse(file.read_bytes()))
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _files(top: str, folder: Path) -> list[Path]:
    """The files of a module that lies beside the file, or elsewhere outside of installed packages."""
    spec = PathFinder.find_spec(top, [str(folder), *sys.path])
    places = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    found = [path for place in places for path in sorted(place.rglob("*.py"))]
    found += [Path(spec.origin)] if spec and spec.origin and spec.origin.endswith(".py") and not places else []
    return [path for path in found if not {"site-packages", "dist-packages"} & set(path.parts)]


def _versions(top: str) -> list[str]:
    try:
        return [metadata.version(top)]
    except metadata.PackageNotFoundError:
        return [metadata.version(name) for name in sorted(_owners().get(top, ()))]


@cache
def _owners() -> dict[str, list[str]]:
    return {name: list(set(owners)) for name, owners in metadata.packages_distributions().items()}
