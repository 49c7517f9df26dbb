"""Scripts that no test runs (peers, training, the site) take from edgekit what is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    file
    for folder in ("tests/peers", "tests/fuzzing", "training", "docs/site")
    for file in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_a_script_takes_from_edgekit_exists(script: Path) -> None:
    taken = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "edgekit"
        for name in node.names
    ]
    for module, name in taken:
        if not hasattr(importlib.import_module(str(module)), name):
            importlib.import_module(f"{module}.{name}")
