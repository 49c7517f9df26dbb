"""Draw functions by lot, for a reader who guesses what each does from its name, its arguments and a line alone.

    python tests/peers/draw_names.py [--seed 45] [--count 60]

Of each the file, the signature and the first line of the docstring are printed, numbered. The reader writes a sentence
on each; another, who reads the code, says which are right.
"""

from __future__ import annotations

import argparse
import ast
import random
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("toolkit", "exporters", "targets", "models", "bench")
HOUSE = Path(__file__).parents[2]


def functions() -> Iterator[tuple[str, str]]:
    """(file and line, what the reader sees) of all functions and methods, those with two underscores aside."""
    for file in sorted(path for room in ROOMS for path in (HOUSE / room).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        owners = {
            id(child): node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for child in node.body
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                given = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                owner = f"{owners[id(node)]}." if id(node) in owners else ""
                line = (ast.get_docstring(node) or "(no docstring)").splitlines()[0]
                yield (
                    f"{file.relative_to(HOUSE)}:{node.lineno}",
                    f"{owner}{node.name}({ast.unparse(node.args)}){given}\n    {line}",
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=45)
    parser.add_argument("--count", type=int, default=60)
    asked = parser.parse_args()
    drawn = random.Random(asked.seed).sample(sorted(functions()), asked.count)
    for number, (place, shown) in enumerate(drawn, 1):
        print(f"{number}. {place}\n    {shown}")


if __name__ == "__main__":
    main()
