"""What is counted in the house: its lines have a maximum, by room and in all, and its functions say what they do."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Rooms, and the most lines of Python code that each may have: no blanks, comments or docstrings. Whoever raises a
#: number says in the changelog what for; whoever deletes lowers it.
LINES = """
    bench/machine 261, bench/metrics 730, bench/processes 765, bench/statistics 305
    exporters/c 2382, exporters/common 332, exporters/coreai 313, exporters/coreml 705, exporters/executorch 894,
    exporters/gguf 1085, exporters/litert 1225, exporters/onnx 2927
    models 17, models/common 179, models/fashion 307, models/forecasting 190, models/keyword 1826,
    models/language 126, models/mediapipe 432, models/music 98, models/policy 146, models/ppocr 173,
    models/protein 223, models/recommender 164, models/sentences 152, models/silero 28, models/speaker 663,
    models/vision 531, models/vits 468, models/whisper 1968
    targets 17, targets/android 2203, targets/common 669, targets/ios 212, targets/microcontroller 811,
    targets/web 871
    toolkit 395, toolkit/benchmarking 986, toolkit/bundles 940, toolkit/cli 1505, toolkit/common 635,
    toolkit/core 760, toolkit/estimation 474, toolkit/formats 6507, toolkit/gate 1283, toolkit/importers 4480,
    toolkit/llama 408, toolkit/numerics 423, toolkit/pipeline 2079, toolkit/pool 222, toolkit/quantization 1135,
    toolkit/reports 1855, toolkit/runtimes 3996, toolkit/sources 985, toolkit/tasks 5138
"""
PYTHON = {name: int(most) for name, most in re.findall(r"([a-z/]+) (\d+)", LINES)}
#: Ending -> the most lines, whatever they hold.
OTHERS = {".java": 9581, ".swift": 7321, ".c": 3990, ".h": 2017, ".kt": 1968, ".cpp": 1128, ".js": 6800, ".ts": 227}
FOLDERS = ("bench", "exporters", "models", "targets", "toolkit")
#: Words that look like participles or adverbs, and are none.
NOUNS = {"embed", "family", "feed", "need", "read", "seed", "sorted", "speed", "spread", "used"}
WORDS = """
    begun broken built chosen done drawn driven found given gone heard held kept known laid left lost made met paid
    said seen sent shown spent spoken taken told written
"""
IRREGULAR = frozenset(re.findall(r"\w+", WORDS))


def code_lines(source: str) -> int:
    """Lines that hold code: no blank, no comment, no docstring."""
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in empty:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def room(path: Path) -> str:
    return "/".join(path.relative_to(ROOT).parts[:-1][:2])


def files(*endings: str) -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in endings]


def test_code_is_counted_as_code() -> None:
    text = '"""A docstring\nof two lines."""\n\n# A comment.\nX = """\ntext\n"""\n\n\ndef f() -> None:\n    """F."""\n'
    assert code_lines(text) == 4


def test_no_room_has_more_lines_than_it_may() -> None:
    counts = Counter[str]()
    for path in files(".py"):
        counts[room(path)] += code_lines(path.read_text(encoding="utf-8"))
    more = {name: f"{count} lines, may have {PYTHON.get(name, 0)}" for name, count in counts.items()}
    assert {name: said for name, said in more.items() if counts[name] > PYTHON.get(name, 0)} == {}


def test_no_other_language_has_more_lines_than_it_may() -> None:
    counts = Counter[str]()
    for path in files(*OTHERS, ".mjs", ".ts"):
        counts[path.suffix] += len(path.read_text(encoding="utf-8", errors="replace").splitlines())
    assert {ending: count for ending, count in counts.items() if count > OTHERS.get(ending, 0)} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_are_verbs_or_name_what_they_give(folder: str) -> None:
    """None is a lone participle or adverb: what `told`, `held` or `evened` does, nobody can guess."""
    alone = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in files(".py")
        if path.relative_to(ROOT).parts[0] == folder
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_alone(node.name.strip("_"))
    ]
    assert alone == []


def is_alone(name: str) -> bool:
    return name not in NOUNS and bool(re.fullmatch(r"[a-z]+(ed|ly)", name) or name in IRREGULAR)


def test_participles_are_recognized() -> None:
    assert is_alone("evened") and is_alone("told") and not is_alone("seed") and not is_alone("round_weights")
