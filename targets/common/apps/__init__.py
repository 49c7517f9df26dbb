"""The class that an app gets for a task. Each .toml in this folder declares one, for every language.

A declaration names the class and the loop behind it (a `TaskLoop`); their sources are the files of these names among
the templates of a target. Which other files of the templates it needs is read in the sources: what a class names comes
along. It also says what the loop reads in a manifest, so that every bundle of the task with these facts gets the class,
wherever its model comes from. So a new loop is a declaration and its files, and no other edit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.core import Bundle, Facts
from edgekit.errors import Unsupported

__all__ = ["App", "app_for", "apps", "closure"]

_TYPE = re.compile(r"^(?:[a-z]+ )*(?:class|struct|enum|protocol|interface|actor|object|typealias) (\w+)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//.*?$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\b[A-Z]\w*")


@dataclass(frozen=True)
class App:
    """What apps get for bundles of a task.

    Attributes:
        api: the class that an app sees, in Kotlin and in Swift.
        task: of the bundles. loop: the class that computes the answers, in Java and in Swift.
        java: what an app asks of `model`, in the library without Kotlin.
        facts: those of the manifest that the loop must have; a dot leads into a table, and of two with a bar between
            them one is enough. values: what a fact may be, where the manifest has it; []: it must not have it.
        parts: that the bundle must have. dtypes: that inputs and outputs may have; (): the task decides.
    """

    api: str
    task: str
    loop: str
    java: str
    facts: tuple[str, ...] = ()
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict, hash=False)
    parts: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()

    def lacking(self, manifest: Any) -> list[str]:
        """Why the loop cannot run a bundle of its task, each a few words; empty: it can."""
        facts, parts = manifest.facts, {part.name for part in manifest.parts}
        names = [name for name in self.facts if all(_fact(facts, one) is None for one in name.split("|"))]
        why = [f"its manifest lacks the fact {' or '.join(map(repr, name.split('|')))}" for name in names]
        for name, allowed in self.values.items():
            value = _fact(facts, name)
            if value is not None and value not in allowed:
                can = f"the loop has {', '.join(map(repr, allowed))}" if allowed else "the loop has no such rule"
                why.append(f"its fact {name!r} is {value!r}, and {can}")
        why += [f"it has no part {name!r}" for name in self.parts if name not in parts]
        for tensor in (one for part in manifest.parts for one in (*part.inputs, *part.outputs)) if self.dtypes else ():
            if tensor.dtype not in self.dtypes:
                why.append(f"{tensor.name!r} is {tensor.dtype}, and the loop has {', '.join(self.dtypes)}")
        return why


def apps() -> list[App]:
    """All declarations, by name."""
    return [_read_app(file) for file in sorted(Path(__file__).parent.glob("*.toml"))]


def app_for(bundle: Bundle, sources: Path, what: str, where: str) -> App:
    """What apps get for the bundle.

    Args:
        sources: of the language, one file a class. what: the bundle would become. where: apps run.

    Raises:
        Unsupported: no loop is declared for its task or written in this language, or it lacks what the loop reads.
    """
    manifest = bundle.manifest
    written = [app for app in apps() if any(sources.glob(f"{app.api}.*"))]
    lacking = {app: app.lacking(manifest) for app in written if app.task == manifest.model.task}
    for app, why in lacking.items():
        if not why:
            return app
    if not lacking:
        raise Unsupported(
            f"{bundle.path.name} cannot become {what}: the task {manifest.model.task!r} has no loop for {where}.",
            hint=f"Tasks with a loop: {', '.join(sorted({app.task for app in written}))}. Others: --as zip.",
        )
    nearest = min(lacking.values(), key=len)
    raise Unsupported(
        f"{bundle.path.name} cannot become {what} by the loop of the task {manifest.model.task!r}: "
        f"{'; '.join(nearest)}.",
        hint="Export it with --task tensors: apps then call it with tensors by name. Or take --as zip."
        if manifest.model.importer and manifest.model.task != "tensors"
        else "Take the files as they are: --as zip.",
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


def _fact(facts: Facts, name: str) -> Any:
    """The fact of a name with dots; None: it is not there."""
    value: Any = facts
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _read_app(file: Path) -> App:
    said = tomllib.loads(file.read_text(encoding="utf-8"))
    listed: dict[str, Any] = {name: tuple(said.pop(name)) for name in ("facts", "parts", "dtypes") if name in said}
    return App(**said, **listed)
