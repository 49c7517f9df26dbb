"""Plant faults in the installed product, one at a time: does a test fail?

    python tests/plant_faults.py [--seed 1] [--count 100] [--work FILE]   draw, plant, run; name what no test caught
    python tests/plant_faults.py --again FILE [--work FILE]               plant what a test caught in FILE's run

A fault is an operator swapped, a constant changed or a check removed, a third of each. Tests that are near run: every
file that names the fault's module, and the folder of its room, the fast ones first. With ``--whole`` what `make test`
runs comes after. ``--work`` keeps results, so that a run which was stopped goes on. It takes hours.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.util
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NEAR = ("not thorough and not real and not slow and not peers", "thorough and not real and not slow and not peers")
WHOLE = "quick or (not thorough and not real and not peers and not slow)"
_MEMORY = 12 << 30  # bytes of a process: a loop that never ends fills memory before it fills time
KINDS = ("operator", "constant", "check")
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Fault(NamedTuple):
    """A piece of source and what stands in its place."""

    file: str
    function: str
    kind: str
    line: int
    before: str
    after: str
    text: str  # the whole file with the fault

    @property
    def key(self) -> str:
        """The same in another version of the file, unless its place was rewritten."""
        return f"{self.file}::{self.function} {self.kind}: {self.before} -> {self.after}"


def faults(file: str, source: str) -> Iterator[Fault]:
    """Every fault that a file can have: in bodies of functions, and neither in messages nor in annotations."""
    lines = [0]
    for line in source.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def planted(function: str, kind: str, node: ast.expr, other: ast.expr | str) -> Fault:
        assert node.end_lineno is not None and node.end_col_offset is not None
        raw = source.encode()
        start, end = lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset
        after = other if isinstance(other, str) else f"({ast.unparse(other)})"
        whole = raw[:start] + after.encode() + raw[end:]
        return Fault(file, function, kind, node.lineno, ast.unparse(node), after, whole.decode())

    def walk(node: ast.AST, function: str) -> Iterator[Fault]:
        match node:
            case ast.Raise() | ast.JoinedStr() | ast.Assert():
                return
            case ast.ClassDef(name=name, body=body):
                for child in body:
                    yield from walk(child, f"{function}.{name}".lstrip("."))
                return
            case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body):
                for child in body:
                    yield from walk(child, f"{function}.{name}".lstrip("."))
                return
            case ast.AnnAssign(value=value):
                if value is not None:
                    yield from walk(value, function)
                return
        inside = bool(function) and isinstance(node, ast.expr)
        if inside and isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
            other = copy.deepcopy(node)
            operator = other.ops[0] if isinstance(other, ast.Compare) else other.op
            if type(operator) in _SWAPS and not any(_is_text(part) for part in ast.iter_child_nodes(node)):
                swapped = _SWAPS[type(operator)]()
                if isinstance(other, ast.Compare):
                    other.ops[0] = swapped
                else:
                    other.op = swapped
                yield planted(function, "operator", node, other)
        elif inside and isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            value = node.value
            yield planted(function, "constant", node, repr(not value if isinstance(value, bool) else value + 1))
        elif function and isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise):
            yield planted(function, "check", node.test, "False")
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)

    for node in ast.parse(source).body:
        yield from walk(node, "")


def _is_text(node: ast.AST) -> bool:
    """Whether an operator beside it joins names or paths: the other one would only raise."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def all_faults(package: Path) -> dict[str, Fault]:
    """Every fault by its key; of several with the same key, the first."""
    found: dict[str, Fault] = {}
    for path in sorted(package.rglob("*.py")):
        for fault in faults(str(path.relative_to(package)), path.read_text(encoding="utf-8")):
            found.setdefault(fault.key, fault)
    return found


def draw_faults(found: dict[str, Fault], seed: int, count: int) -> list[str]:
    """Keys, a third of each kind."""
    order = random.Random(seed)
    by_kind = [sorted(key for key, fault in found.items() if fault.kind == kind) for kind in KINDS]
    drawn = [order.sample(keys, -(-count // len(KINDS))) for keys in by_kind]
    return [key for keys in zip(*drawn, strict=True) for key in keys][:count]


def near_tests(file: str) -> list[str]:
    """The folder of tests of a file's room, and the test files that name its module."""
    parts = Path(file).with_suffix("").parts
    tests = ROOT / "tests" if parts[0] in ("bench", "exporters", "models", "targets") else ROOT / "tests" / "toolkit"
    folder = tests.joinpath(*parts[:-1])
    while not list(folder.glob("test_*.py")) and folder != ROOT / "tests":
        folder = folder.parent
    module = re.compile(rf"\bedgekit\.{re.escape('.'.join(parts).removesuffix('.__init__'))}\b")
    naming = [path for path in (ROOT / "tests").rglob("test_*.py") if module.search(path.read_text(encoding="utf-8"))]
    chosen = [] if folder in (ROOT / "tests", ROOT / "tests" / "toolkit") else [folder]
    return [str(path) for path in (*naming, *chosen)]


class Suite:
    """Runs tests over a copy of the installed package."""

    def __init__(self, copy_of: Path, jobs: int, seconds: float) -> None:
        self.package, self._jobs, self._seconds = copy_of, jobs, seconds
        self._unsteady: set[str] = set()  # what fails without a fault, too

    def first_failure(self, fault: Fault, tests: Sequence[str], marks: str) -> str:
        """The test that fails with the fault and passes without; "" for none; else what became of pytest."""
        if not tests:
            return ""
        path = self.package / fault.file
        sound = path.read_bytes()
        while True:
            path.write_text(fault.text, encoding="utf-8")
            try:
                failed = self._run(tests, marks)
            finally:
                path.write_bytes(sound)
            if "::" not in failed:  # nothing, or a process that hung or was killed
                return failed
            if not self._run([failed], marks):
                return failed
            self._unsteady.add(failed)

    def _run(self, tests: Sequence[str], marks: str) -> str:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", "-m", marks]
        command += ["-n", str(self._jobs), "--dist", "loadfile"] if self._jobs > 1 else []
        command += [f"--deselect={name}" for name in self._unsteady - set(tests)]
        # The copy shadows the installed package, here and in every process that a test starts.
        environment = {**os.environ, "PYTHONPATH": str(self.package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        started = subprocess.Popen(
            [*command, *tests],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY)),
        )
        try:
            said, _ = started.communicate(timeout=self._seconds)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, 9)
            started.wait()
            return "hangs"
        failed = re.search(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", said, re.MULTILINE)
        if failed:
            return failed[1]
        return "" if started.returncode in (0, 5) else f"pytest ended with {started.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--again", type=Path, help="results of before, whose caught faults are planted again")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "faults.json", help="where results are kept")
    parser.add_argument("--whole", action="store_true", help="then all that `make test` runs (20 minutes a fault)")
    parser.add_argument("--jobs", type=int, default=1, help="processes of pytest")
    parser.add_argument("--minutes", type=float, default=20.0, help="limit for the tests of one fault")
    options = parser.parse_args()
    spec = importlib.util.find_spec("edgekit")
    assert spec is not None and spec.origin, "edgekit is not installed: make .venv/.wheel"
    results: dict[str, str] = json.loads(options.work.read_text()) if options.work.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "edgekit"
        shutil.copytree(Path(spec.origin).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        found = all_faults(package)
        if options.again:
            keys = [key for key, by in json.loads(options.again.read_text()).items() if by]
            for key in [key for key in keys if key not in found]:
                print(f"its place was rewritten: {key}")
            keys = [key for key in keys if key in found]
        else:
            keys = draw_faults(found, options.seed, options.count)
        suite = Suite(package, options.jobs, 60 * options.minutes)
        for place, key in enumerate(keys, 1):
            start, fault = time.monotonic(), found[key]
            if key not in results:
                near = near_tests(fault.file)
                by = next(filter(None, (suite.first_failure(fault, near, marks) for marks in NEAR)), "")
                if not by and options.whole:
                    by = suite.first_failure(fault, [str(ROOT / "tests")], WHOLE)
                results[key] = by
                options.work.parent.mkdir(parents=True, exist_ok=True)
                options.work.write_text(json.dumps(results, indent=1), encoding="utf-8")
            spent = time.monotonic() - start
            print(f"{place}. {key} (line {fault.line}): {results[key] or 'NOT CAUGHT'} ({spent:.0f} s)", flush=True)
    missed = [key for key in keys if not results[key]]
    print(f"{len(keys) - len(missed)} of {len(keys)} faults were caught.", *missed, sep="\n")
    return 1 if options.again and missed else 0


if __name__ == "__main__":
    sys.exit(main())
