"""The house: which room imports which, how large a folder is, what may be reached from outside."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Top-level folder -> the name that it is imported under.
PACKAGES = {
    "toolkit": "edgekit",
    "exporters": "edgekit.exporters",
    "targets": "edgekit.targets",
    "models": "edgekit.models",
    "bench": "edgekit.bench",
}
#: Rooms from the ground up: a room may import those below it, and its neighbours on the same floor.
FLOORS = (
    {"core", "errors"},
    {"formats", "numerics", "registry", "common"},
    {"sources", "tasks", "quantization", "runtimes", "llama", "bench"},
    {"reports", "bundles", "catalogue", "importers", "pool"},
    {"gate", "estimation"},
    {"pipeline", "benchmarking"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
#: What models, exporters and targets may import, besides themselves: nobody imports them, the registry finds them.
LEAVES = {"core", "errors", "common", "numerics", "formats"}
ALLOWED = {
    "models": LEAVES | {"tasks"},
    "exporters": LEAVES | {"quantization", "llama", "registry", "runtimes"},
    "targets": LEAVES | {"sources", "llama"},
}
#: Siblings share only their `common/`; one of them makes C of another's files.
SIBLINGS = {("exporters", "c"): {"litert"}}
#: A format computes with a runtime where its quantizer measures or proves: until quantization asks the runtime that the
#: recipe names, each knows one, by its code and not by its name; and TensorFlow Lite Micro, what chips must equal.
MEASURES = {
    "onnx": {"onnxruntime"},
    "litert": {"litert", "tflite_micro"},
    "executorch": {"executorch"},
    "coreml": {"coreml"},
    "coreai": {"coreai"},
    "gguf": {"llama_cpp"},
    "c": {"qemu", "tflite_micro"},
}
#: The reuse key hashes the files of these rooms: it names their folders, no code of theirs.
NAMED = {"toolkit/pipeline/reuse.py"}
#: A type alone, never imported while the program runs.
TYPED = {"toolkit/core/values.py": "edgekit.bundles.manifest"}
MOST_ENTRIES, MOST_SHARING = 15, 3


def files() -> list[Path]:
    return [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]


def module(path: Path) -> str:
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([PACKAGES[folder], *rest]).removesuffix(".__init__")


def room(path: Path) -> str:
    folder, first, *_ = path.relative_to(ROOT).with_suffix("").parts
    return first if folder == "toolkit" else folder


MODULES = {module(path): path for path in files()}


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("edgekit."))
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "edgekit":
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    if here == "__init__" or str(path.relative_to(ROOT)) in NAMED:
        return
    for name in imports(path):
        if name in ("edgekit", TYPED.get(str(path.relative_to(ROOT)))):
            continue
        there = name.split(".")[1]
        if here in ALLOWED:
            assert there in ALLOWED[here] | {here}, f"{here} must not import {name}"
        else:
            assert there in FLOOR, f"{name} is reached by its name only, through the registry"
            assert FLOOR[there] <= FLOOR[here], f"{here} must not import {name}, which stands above it"


@pytest.mark.parametrize("folder", ["models", "exporters", "targets"])
def test_siblings_share_only_their_common_folder(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        own, *rest = path.relative_to(ROOT / folder).parts
        for name in imports(path):
            _, there, *sibling = name.split(".")
            if rest and there == folder and sibling:
                allowed = {own, "common", *SIBLINGS.get((folder, own), ())}
                assert sibling[0] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_a_format_computes_with_few_runtimes() -> None:
    for path in (ROOT / "exporters").rglob("*.py"):
        own, *_ = path.relative_to(ROOT / "exporters").parts
        for name in imports(path):
            _, there, *inner = name.split(".")
            if there == "runtimes":
                assert inner and inner[0] in {*MEASURES.get(own, ()), "resolved"}, f"{own} imports {name}"


def test_no_two_files_import_each_other() -> None:
    edges = {
        name: {to for to in imports(path) if to in MODULES and to != name and not name.startswith(f"{to}.")}
        for name, path in MODULES.items()
        if name != "edgekit"
    }
    waiting = dict(edges)
    while waiting:
        free = [name for name, wanted in waiting.items() if not wanted & waiting.keys()]
        assert free, f"these import one another: {', '.join(sorted(waiting))}"
        for name in free:
            del waiting[name]


def test_folders_are_small_and_prefixes_are_folders() -> None:
    folders = Counter(path.parent for path in (*files(), *(ROOT / "tests").rglob("*.py")) if "peers" not in path.parts)
    assert {str(folder): count for folder, count in folders.items() if count > MOST_ENTRIES} == {}
    prefixes = Counter(
        (path.parent, match[0]) for path in files() if (match := re.match(r"_?[a-z0-9]+_", path.name)) is not None
    )
    assert {str(key): count for key, count in prefixes.items() if count > MOST_SHARING} == {}


def foreign(path: Path) -> Iterator[str]:
    """Underscore names of other rooms that a file imports, or reaches through an imported module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("edgekit"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    modules[alias.asname or alias.name] = whole
                elif alias.name.startswith("_") and not alias.name.endswith("__"):
                    yield whole
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in modules:
                if attr.startswith("_") and not attr.endswith("__"):
                    yield f"{modules[name]}.{attr}"


TESTS = [path for path in sorted((ROOT / "tests").rglob("*.py")) if "peers" not in path.parts]


@pytest.mark.parametrize("path", [*files(), *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_takes_another_files_underscore_name(path: Path) -> None:
    assert sorted(set(foreign(path))) == []
