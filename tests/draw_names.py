"""Draw functions by lot: can a reader say what each does who sees its signature and its docstring's first line alone?

    python tests/draw_names.py [--seed 1] [--count 60]              the questions
    python tests/draw_names.py [--seed 1] [--count 60] --answers    the same, each with its file and its whole source

CONTRIBUTING.md says how many of the answers should be right.
"""

from __future__ import annotations

import argparse
import ast
import random
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "exporters", "models", "targets", "toolkit")


def functions() -> Iterator[tuple[str, str, str]]:
    """(what a reader sees, where it is, its source) of every function and method but those that Python names."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        owners = [("", tree), *((f"{node.name}.", node) for node in tree.body if isinstance(node, ast.ClassDef))]
        for owner, parent in owners:
            for node in parent.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
                    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                    first = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                    seen = f"{owner}{node.name}({ast.unparse(node.args)}){returns}\n    {first or '(no docstring)'}"
                    source = ast.get_source_segment(text, node) or ""
                    yield seen, f"{path.relative_to(ROOT)}:{node.lineno}", source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--answers", action="store_true")
    options = parser.parse_args()
    drawn = random.Random(options.seed).sample(list(functions()), options.count)
    for place, (seen, where, source) in enumerate(drawn, 1):
        print(f"{place}. {seen}" + (f"\n    {where}\n{source}\n" if options.answers else ""))


if __name__ == "__main__":
    main()
