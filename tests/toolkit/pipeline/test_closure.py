"""What an export's key follows: import statements, as Python's own parser reads them."""

from __future__ import annotations

import ast
from pathlib import Path

import edgekit
from edgekit.pipeline.closure import closure

PACKAGE = Path(str(edgekit.__file__)).parent


def parsed(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.partition(".")[0] == "edgekit"}


def files_of(names: set[str]) -> set[Path]:
    places = [PACKAGE.joinpath(*name.split(".")[1:]) for name in names if name != "edgekit"]
    there = {path for place in places for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()}
    return there | ({PACKAGE / "__init__.py"} if "edgekit" in names else set())


def test_every_file_of_edgekit_is_followed_as_the_parser_would() -> None:
    for file in sorted(PACKAGE.rglob("*.py"))[::7]:
        if file != PACKAGE / "__init__.py":
            assert files_of(parsed(file)) <= closure([file], PACKAGE), file


def test_statements_of_every_form(tmp_path: Path) -> None:
    package = tmp_path / "edgekit"
    package.mkdir()
    names = ["a", "b", "c", "d", "e", "f", "g"]
    for name in ("__init__", "unrelated", *names):
        (package / f"{name}.py").write_text("")
    start = package / "start.py"
    start.write_text(
        "import edgekit.a as x, edgekit.b\nfrom edgekit.c import thing\nfrom edgekit import d as y, e\n"
        "def inside():\n    from edgekit import (\n        f,  # why\n        g as z,\n    )\n"
    )
    followed = closure([start], package)
    assert {package / f"{name}.py" for name in names} <= followed and package / "unrelated.py" not in followed
