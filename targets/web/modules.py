"""The templates of packages for browsers: ES modules that run as they are, and how several become one.

A worker's code is one file without imports. So it is a plain file to every bundler, which copies it, and another
package's worker can load it by its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgekit.targets.common import templates
from edgekit.targets.common.templates import plain

__all__ = ["TEMPLATES", "example_of", "fill", "join_modules", "modules_of", "plain"]

TEMPLATES = (Path(__file__).parent / "app").resolve()

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:class|function\*?|const|let) (\w+))", re.MULTILINE)
_EXAMPLE = re.compile(r"^ \* @example\n((?: \* .*\n)+) \*/", re.MULTILINE)


def fill(template: str, out: Path, words: Mapping[str, str]) -> None:
    """Copy a template with its names replaced."""
    templates.fill(TEMPLATES / template, out, words)


def modules_of(first: Iterable[Path]) -> list[Path]:
    """The modules `first` and all that they import of the templates, each after those that it imports."""
    order: list[Path] = []

    def visit(file: Path) -> None:
        if file not in order and file.is_file():  # package.js is written for each package
            for _, address in _IMPORT.findall(file.read_text(encoding="utf-8")):
                visit((file.parent / address).resolve())
            order.append(file)

    for file in first:
        visit(file.resolve())
    return order


def join_modules(first: Iterable[Path]) -> str:
    """One script of these modules and of all that they import: each a constant `$NAME` of what it exports."""
    return "".join(map(_wrap, modules_of(first)))


def _wrap(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    imports = "".join(
        f"const {{{names.replace(' as ', ': ')}}} = ${Path(address).stem};\n"
        for names, address in _IMPORT.findall(text)
    )
    body = _EXPORT.sub(r"\1", _IMPORT.sub("", text))
    exports = ", ".join(name for _, name in _EXPORT.findall(text))
    return f"const ${file.stem} = (() => {{\n{imports}{body}return {{ {exports} }};\n}})();\n"


def example_of(module: Path) -> str:
    """The code behind `@example` in a module's comment."""
    found = _EXAMPLE.search(module.read_text(encoding="utf-8"))
    return "\n".join(line[3:] for line in found[1].splitlines()) if found else ""
