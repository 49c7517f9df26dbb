"""The reference of the Python API from docstrings and signatures, read by griffe without importing the package."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import griffe
from text import fenced, linked, tidy

import edgekit

__all__ = ["PAGES", "page"]

#: Page -> title, an introduction, and the names that it documents: modules with their `__all__`, or single objects.
PAGES: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "verbs": (
        "Python: the verbs",
        "The names match the command line. `import edgekit` loads nothing heavy.",
        ("edgekit",),
    ),
    "bundles": (
        "Python: bundles",
        "`edgekit.load` returns an open bundle. A manifest says what the bundle holds and what was proven about it.",
        (
            "edgekit.core.running.Predictor",
            "edgekit.core.running.Prediction",
            "edgekit.core.running.Stream",
            "edgekit.bundles.manifest",
        ),
    ),
    "types": (
        "Python: types",
        "Frozen dataclasses of `edgekit.core`. You need them to add an entry to a room: a model, a target, a runtime.",
        ("edgekit.core",),
    ),
    "errors": (
        "Python: errors",
        "Every error that edgekit raises on purpose is an `EdgekitError`. Its `hint` says what to type next.",
        ("edgekit.errors",),
    ),
}
_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):\s*$")
_TITLES = {"Args": "Arguments", "Raises": "Errors"}
_RECORD = re.compile(r"accept_fields\((\w+)\)")
#: Marks of arguments that take any number of values.
_MARKS = {"variadic positional": "*", "variadic keyword": "**"}


def page(name: str) -> str:
    """The Markdown of reference/python/NAME.md."""
    title, introduction, sources = PAGES[name]
    lines = [f"# {title}\n", introduction + "\n"]
    for source in sources:
        module = _package() if source == "edgekit" else _package()[source.removeprefix("edgekit.")]
        lines.extend(_entry(entry) for entry in _entries(module))
    return "\n".join(lines)


_LOADED: dict[str, Any] = {}


def _package() -> Any:
    if not _LOADED:
        folder = Path(edgekit.__file__).parents[1]
        _LOADED["edgekit"] = griffe.load("edgekit", search_paths=[folder], resolve_aliases=True)
    return _LOADED["edgekit"]


def _entries(source: Any) -> Iterator[Any]:
    """The documented objects: a module's public functions and classes, or the object itself."""
    if not source.is_module:
        yield source
        return
    for name in source.exports or ():
        member = source[str(name)]
        target = member.final_target if member.is_alias else member
        if target.is_function or target.is_class:
            yield target


def _entry(entry: Any) -> str:
    lines = [f"## {entry.name}\n", fenced(_signature(entry), "python"), _body(entry)]
    if entry.is_class:
        for method in entry.members.values():
            if method.is_function and not method.name.startswith("_") and method.docstring:
                lines += [f"### {entry.name}.{method.name}\n", fenced(_signature(method), "python"), _body(method)]
    return "\n".join(lines)


def _signature(entry: Any) -> str:
    if entry.is_class:
        fields = [name for name, member in entry.members.items() if _is_field(name, member)]
        whole = ", ".join(f"{name}: {entry.members[name].annotation}" for name in fields)
        return _wrapped(f"class {entry.name}", whole, "")
    result = f" -> {entry.returns}" if entry.returns else ""
    if records := [match[1] for mark in entry.decorators if (match := _RECORD.fullmatch(str(mark.value)))]:
        return _wrapped(entry.name, ", ".join(_field_arguments(entry.module[records[0]].final_target)), result)
    arguments = []
    star = False
    for argument in entry.parameters:
        if argument.name in ("self", "cls"):
            continue
        if argument.kind is griffe.ParameterKind.keyword_only and not star:
            star = True
            arguments.append("*")
        mark = _MARKS.get(argument.kind.value, "") if argument.kind else ""
        star = star or mark == "*"
        kind = f": {argument.annotation}" if argument.annotation else ""
        value = f" = {argument.default}" if argument.default and not mark else ""
        arguments.append(f"{mark}{argument.name}{kind}{value}")
    return _wrapped(entry.name, ", ".join(arguments), result)


def _field_arguments(record: Any) -> Iterator[str]:
    """A record's fields as arguments of the function that accepts them (`edgekit.pipeline.job.accept_fields`)."""
    for name, member in record.members.items():
        if str(member.annotation if member.is_attribute else "") == "KW_ONLY":
            yield "*"
        elif _is_field(name, member):
            yield f"{name}: {member.annotation}" + (f" = {member.value}" if member.value is not None else "")


def _is_field(name: str, member: Any) -> bool:
    public = not name.startswith("_") and "property" not in member.labels
    return bool(public and member.is_attribute and member.annotation)


def _wrapped(name: str, arguments: str, result: str) -> str:
    """A signature on one line, or an argument a line where it is longer."""
    line = f"{name}({arguments}){result}"
    if len(line) <= 88:
        return line
    parts = re.split(r", (?![^\[(]*[\])])", arguments)
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def _body(entry: Any) -> str:
    """A docstring as Markdown; its sections are lists of `name: meaning`."""
    if not entry.docstring:
        return ""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in entry.docstring.value.split("\n"):
        if match := _SECTION.match(line):
            parts.append((match[1], []))
        else:
            parts[-1][1].append(line)
    text = [_paragraphs(parts[0][1])]
    for title, lines in parts[1:]:
        text.append(f"**{_TITLES.get(title, title)}**\n")
        items = list(_items(textwrap.dedent("\n".join(lines)).strip("\n").split("\n")))
        text.append("\n".join(f"- {_item(item)}" for item in items) + "\n")
    return "\n".join(text)


def _paragraphs(lines: Sequence[str]) -> str:
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n".join(_marked(tidy(block)) + "\n" for block in blocks if block)


def _items(lines: Sequence[str]) -> Iterator[str]:
    """The items of a section: each begins at the margin, and goes on indented."""
    item = ""
    for line in lines:
        if line.startswith(" ") or not item:
            item += " " + line.strip()
        elif line.strip():
            yield item.strip()
            item = line.strip()
    if item.strip():
        yield item.strip()


def _item(text: str) -> str:
    head, colon, rest = tidy(text).partition(": ")
    if not colon or not re.fullmatch(r"[\w*, .]+", head):
        return _marked(tidy(text))
    return f"{', '.join(f'`{name.strip()}`' for name in head.split(','))}: {_marked(rest)}"


def _marked(text: str) -> str:
    return linked(text, "../../")
