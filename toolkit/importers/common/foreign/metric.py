"""The user's own metric, ``FILE.py:NAME``: its declaration is read, its function runs in a child."""

from __future__ import annotations

import ast
import hashlib
import math
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from edgekit.bench import metrics
from edgekit.bench.metrics import Metric
from edgekit.common.files import hash_file
from edgekit.core import Evaluation, Facts, Json
from edgekit.errors import BadInput
from edgekit.importers.common.foreign.process import Request, run
from edgekit.importers.common.foreign.scoring import ANSWERS, TRUTHS, save


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


_ADDRESS = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")
_DECLARED = ("better", "worst", "drop")
_HINT = 'Such as, below the function: better, worst, drop = "higher", 0.8, 0.01'
#: Fewer samples than this make a verdict "undecided".
_MINIMUM = 20


def evaluation_of(address: str) -> Evaluation:
    """The evaluation by the metric at `address`, which `edgekit.bench.metrics` then knows by its name.

    The file says ``better`` ("higher" or "lower"), ``drop`` (the largest loss against fp32) and, where there is an
    absolute bar, ``worst``: as attributes of the function, or as names of the file. They are read, not run.

    Raises:
        BadInput: no such file or function, or a declaration that is absent or of another kind.
    """
    match = _ADDRESS.fullmatch(address)
    path = Path(match["file"]).expanduser() if match else Path()
    if match is None or not path.is_file():
        raise BadInput(f"there is no metric {address!r}.", hint="Such as --metric mine.py:score")
    name, label = match["name"], path.name
    declared = _read_declarations(path, name)
    better: Any
    drop: Any
    worst: Any
    better, drop, worst = (declared.get(key) for key in ("better", "drop", "worst"))
    if better not in ("higher", "lower"):
        raise BadInput(f'{label}: {name} says better = {better!r}; it is "higher" or "lower".', hint=_HINT)
    if not _finite(drop) or drop < 0:
        raise BadInput(f"{label}: {name} says drop = {drop!r}; it is the largest loss against fp32.", hint=_HINT)
    if worst is not None and not _finite(worst):
        raise BadInput(f"{label}: {name} says worst = {worst!r}; it is a number.", hint=_HINT)
    spoken = f"{name} ({label} {digest(path)[:8]})"  # its code decides whether a bundle can be reused
    metrics.add(Metric(spoken, "", better, partial(_score, path.resolve(), name), labelled=True, own=True))
    return Evaluation(spoken, worst=None if worst is None else float(worst), drop=float(drop), minimum=_MINIMUM)


def declares(path: Path, name: str) -> bool:
    """Whether the file declares all that a metric needs for its function `name`."""
    return {"better", "drop"} <= _read_declarations(path, name).keys()


def _read_declarations(path: Path, name: str) -> dict[str, Json]:
    """``better``, ``worst`` and ``drop`` of the function, or else of the file. Raises BadInput without the function."""
    try:
        tree = ast.parse(path.read_bytes(), path.name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise BadInput(f"{path.name} is not Python: {exc}.") from exc
    of_file: dict[str, Json] = {}
    of_function: dict[str, Json] = {}
    known = False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            known |= node.name == name
        for target, value in _assignments(node):
            match target:
                case ast.Name(id=key) if key == name:
                    known = True
                case ast.Name(id=key) if key in _DECLARED:
                    of_file[key] = _literal(value, path, key)
                case ast.Attribute(value=ast.Name(id=owner), attr=key) if owner == name and key in _DECLARED:
                    of_function[key] = _literal(value, path, key)
    if not known:
        raise BadInput(f"{path.name} has no function {name}().", hint="Such as --metric mine.py:score")
    return of_file | of_function


def _assignments(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _literal(node: ast.expr, path: Path, key: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as exc:
        raise BadInput(f"{path.name}, line {node.lineno}: {key} is not written as a plain value.", hint=_HINT) from exc


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _score(
    path: Path, name: str, outputs: Sequence[Any], truths: Sequence[Any], *, language: str = "en"
) -> list[tuple[float, float]]:
    """The function's numbers, a (number, 1) per sample.

    Raises:
        BadInput: the function raised, or gave too few numbers, or one that is not finite.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        scratch = Path(folder)
        save(outputs, scratch, ANSWERS)
        save(truths, scratch, TRUTHS)
        answer: Facts = run(
            Request(
                function="edgekit.importers.common.foreign.scoring:score",
                label=path.name,
                scratch=scratch,
                folder=path.parent,
                arguments={"file": str(path), "function": name},
            )
        )
    values = answer.get("values")
    if not isinstance(values, list) or len(values) != len(outputs):
        count = len(values) if isinstance(values, list) else 0
        raise BadInput(
            f"{path.name}: {name}() gave {count} numbers for {len(outputs)} samples.", hint="Return a number a sample."
        )
    for i, value in enumerate(values):
        if not _finite(value):
            raise BadInput(f"{path.name}: {name}() gave {value!r} for sample {i}, which is not a number.")
    return [(float(value), 1.0) for value in values]
