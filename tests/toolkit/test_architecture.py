"""What the code promises about itself: which room imports which, what loads what, contracts in docstrings."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit import errors
from edgekit.errors import EdgekitError

ROOT = Path(__file__).parents[2]
ROOMS = ("models", "targets", "exporters", "bench", "toolkit")


def imports(file: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_nobody_imports_a_room_by_its_bare_name() -> None:
    for file in (file for folder in (*ROOMS, "tests") for file in (ROOT / folder).rglob("*.py")):
        assert not {name.split(".")[0] for name in imports(file)} & set(ROOMS), file


def modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(edgekit.__path__, "edgekit.")]


@pytest.mark.parametrize("name", ["edgekit", *modules()])
def test_all_is_complete_where_it_is_defined(name: str) -> None:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        return
    assert all(hasattr(module, item) for item in listed)
    assert len(set(listed)) == len(listed)
    public = {
        item
        for item, value in vars(module).items()
        if not item.startswith("_") and getattr(value, "__module__", None) == name
    }
    assert public <= set(listed)


def test_every_name_of_the_package_is_there() -> None:
    assert [name for name in edgekit.__all__ if getattr(edgekit, name, None) is None] == []
    with pytest.raises(AttributeError, match="nonsense"):
        _ = edgekit.nonsense


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+) +(\d+)", str(errors.__doc__)))
    children = EdgekitError.__subclasses__()
    kinds = [*children, *(kind for child in children for kind in child.__subclasses__())]
    tree: dict[str, Any] = {kind.__name__: kind for kind in kinds}
    tree = {name: kind for name, kind in tree.items() if kind.__module__ == "edgekit.errors"}
    assert {name: int(code) for name, code in drawn.items()} == {name: kind.exit_code for name, kind in tree.items()}
    others = {"DISTRIBUTION", "EdgekitError", "boundary", "install_command", "need", "run_command"}
    assert set(tree) | others == set(errors.__all__)
    assert re.search(r"EdgekitError +1\n", str(errors.__doc__)) and EdgekitError.exit_code == 1


# ---------------------------------------------------------------------------------------------------- light imports

HEAVY = {"torch", "onnx", "onnxscript", "onnxruntime", "numpy", "transformers", "safetensors", "tokenizers"}
TELL = """
import sys
before = set(sys.modules)
{code}
print("\\n" + " ".join({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
RUN = "from edgekit.cli.command import run\ntry:\n    run({arguments})\nexcept SystemExit:\n    pass"


def loaded(toy: Any, code: str) -> set[str]:
    done = toy.python(TELL.format(code=code))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["fit", "whisper-base"], ["doctor"]])
def test_answers_from_declarations_load_nothing_heavy(toy: Any, arguments: list[str]) -> None:
    # The toy's own module imports numpy, as another package's may: it stays outside.
    found = loaded(type(toy)(toy.weights, *[toy.weights] * 3), RUN.format(arguments=arguments))
    assert "rich" in found or "--json" in arguments
    assert not found & HEAVY


@pytest.mark.parametrize("code", ["import edgekit", RUN.format(arguments=["--help"]), RUN.format(arguments=["x"])])
def test_help_loads_nothing_of_anybody_elses(toy: Any, code: str) -> None:
    found = loaded(toy, code)
    assert "edgekit" in found
    assert {name for name in found if name not in sys.stdlib_module_names} == {"edgekit"}
