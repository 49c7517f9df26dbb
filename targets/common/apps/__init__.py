"""The class that an app gets for a task. Each .toml in this folder declares one, for every language.

A declaration names the class and the loop behind it (a `TaskLoop`); their sources are the files of these names among
the templates of a target. Which other files of the templates it needs is read in the sources: what a class names comes
along. So a new loop is a declaration and its files, and no other edit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core import Bundle
from edgekit.errors import Unsupported

__all__ = ["App", "app_for", "apps", "closure"]

_TYPE = re.compile(r"^(?:[a-z]+ )*(?:class|struct|enum|protocol|interface|actor|object|typealias) (\w+)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//.*?$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\b[A-Z]\w*")


@dataclass(frozen=True)
class App:
    """What apps get for models of a task.

    Attributes:
        api: the class that an app sees, in Kotlin and in Swift.
        task: of the models. families: those of its families whose facts the loop reads. scaled: those whose facts it
            reads where pictures are only scaled (no rule ``resize``).
        loop: the class that computes the answers, in Java and in Swift.
        java: what an app asks of `model`, in the library without Kotlin.
    """

    api: str
    task: str
    families: tuple[str, ...]
    scaled: tuple[str, ...]
    loop: str
    java: str


def apps() -> list[App]:
    """All declarations, by name."""
    return [_declared(file) for file in sorted(Path(__file__).parent.glob("*.toml"))]


def app_for(bundle: Bundle, sources: Path, what: str, where: str) -> App:
    """What apps get for the bundle.

    Args:
        sources: of the language, one file a class.

    Raises:
        Unsupported: no loop is declared for its task and family, or none is written in this language.
    """
    model = bundle.manifest.model
    written = [app for app in apps() if any(sources.glob(f"{app.api}.*"))]
    for app in written:
        families = app.families if "resize" in bundle.manifest.facts else (*app.families, *app.scaled)
        if app.task == model.task and model.family in families:
            return app
    raise Unsupported(
        f"{bundle.path.name} cannot become {what}: the task {model.task!r} of the family {model.family!r} has no loop "
        f"for {where}.",
        hint=f"Tasks with a loop: {', '.join(sorted({app.task for app in written}))}. Others: --as zip.",
    )


def closure(first: Iterable[Path], folders: Sequence[Path]) -> list[Path]:
    """The files `first`, and those of `folders` whose types they name, directly or not, sorted.

    Args:
        folders: from the ground up: a file names types of its own folder and of those before it.
    """
    homes = [
        {name: file for file in sorted(folder.iterdir()) for name in _TYPE.findall(_code(file))} for folder in folders
    ]
    waiting, taken = list(first), set[Path]()
    while waiting:
        file = waiting.pop()
        if file in taken:
            continue
        taken.add(file)
        seen = folders.index(file.parent) + 1 if file.parent in folders else len(folders)
        waiting += [home[name] for name in _NAME.findall(_code(file)) for home in homes[:seen] if name in home]
    return sorted(taken)


def _code(file: Path) -> str:
    """A source without its comments."""
    return _COMMENT.sub("", file.read_text(encoding="utf-8"))


def _declared(file: Path) -> App:
    facts = tomllib.loads(file.read_text(encoding="utf-8"))
    return App(
        facts["api"],
        facts["task"],
        tuple(facts["families"]),
        tuple(facts.get("scaled", ())),
        facts["loop"],
        facts["java"],
    )
