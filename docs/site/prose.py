"""The prose linter: proselint, and the house style, over README, docs, help texts, errors and public docstrings.

    python docs/site/prose.py [FILE.md...]       by default everything

The style: a sentence has at most 35 words. Words that make riddles, and history, are listed below; history belongs in
CHANGELOG.md. Code, tables and links' addresses are not prose and are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from code_prose import docstrings, messages

ROOT = Path(__file__).parents[2]
LONGEST = 35
#: Folders of the product.
ROOMS = ("toolkit", "models", "exporters", "targets", "bench")

#: A pattern, and what to write instead.
STYLE = {
    r"\b(?:is|are|was|were|be) told\b": "say who reports what, and where it shows",
    r"\bours\b": "name whose it is: edgekit's",
    r"\btheirs\b": "name whose it is",
    r"\bthe like\b": "name the things",
    r"\bas it were\b": "leave it out",
    r"\b(?:thereof|whereof|therein|wherein|heretofore|hitherto|whilst|hence|thus)\b": "use a plain word",
    r"\b(?:utili[sz]e|leverage|facilitate|seamless(?:ly)?|effortless(?:ly)?|cutting-edge|robust)\b": "use a plain word",
    r"\b(?:simply|obviously|of course)\b": "leave it out",
    r"\b(?:an earlier version|earlier versions|used to be|formerly|no longer)\b": "history belongs in CHANGELOG.md",
    r"\bit was \d": "history belongs in CHANGELOG.md",
    r"\bwas(?: at)? \d[\d.,]*(?: %| MB| ms)?,? before\b": "history belongs in CHANGELOG.md",
    r"\b[Bb]efore(?: that)?, (?:it|they|the) (?:was|were)\b": "history belongs in CHANGELOG.md",
    r"\bthat is to say\b": "leave it out",
    r"\bcoin toss": "say what varies",
    r"\bheeds?\b": "use a plain word: follows, reads",
}
#: Checks of proselint that are left out: opinions on typography, and those that take words of the field for others
#: ("multiply-adds" for an adverb, "0 0" for a repeated word, "the 576's rows" for a decade).
SILENT = (
    "typography",
    "restricted",
    "social_awareness",
    "spelling",
    "lexical_illusions",
    "misc.phrasal_adjectives",
    "dates_times",
)

_FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|et al|etc|vs|cf|approx|no|fig|St)\.", re.IGNORECASE)
_END = re.compile(r"(?<=[.!?:])[)\"']*\s+(?=[\"'(\[]*(?:[A-Z0-9]|edgekit\b|int8\b|fp\d|whisper-|onnxruntime))")


@dataclass(frozen=True)
class Passage:
    """A paragraph, an item of a list or a help text: where it begins, and its words."""

    where: str
    text: str


def main(files: list[Path]) -> int:
    passages = [passage for file in files or _files() for passage in of_page(file)]
    code = [] if files else [passage for file in _sources() for passage in of_code(file)]
    if not files:
        passages += _of_help(ROOT / "toolkit" / "cli" / "grammar.py")
    faults = [fault for passage in [*passages, *code] for fault in style(passage)] + _proselint(passages)
    for fault in faults:
        print(fault)
    print(f"{len(passages) + len(code)} passages, {len(faults)} faults")
    return 1 if faults else 0


def _files() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def style(passage: Passage) -> list[str]:
    """What the house style says against a passage: long sentences, words of the list."""
    return [*_long(passage), *_words(passage)]


def of_page(file: Path) -> Iterator[Passage]:
    """The passages of a page: blocks between blank lines, without code and tables."""
    text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), file.read_text())
    block: list[str] = []
    start = 0
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    for number, line in enumerate([*text.split("\n"), ""], 1):
        stripped = line.strip()
        begins = re.match(r"[-*+] |\d+\. |#|===|!!!|<|\|", stripped)
        if (not stripped or begins) and block:
            yield Passage(f"{name}:{start}", _plain(" ".join(block)))
            block = []
        if (
            stripped
            and not re.match(r"#|===|!!!|<|\||    \S", stripped)
            and not (line.startswith("    ") and not block)
        ):
            start = start if block else number
            block.append(re.sub(r"^(?:[-*+]|\d+\.) ", "", stripped))


def _of_help(file: Path) -> Iterator[Passage]:
    """The help texts of the parsers: the keyword `help`, and the descriptions of the verbs."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            texts = [keyword.value for keyword in node.keywords if keyword.arg in ("help", "description")]
            texts += node.args[1:2] if getattr(node.func, "id", "") == "verb" else []
            for text in texts:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield Passage(f"{file.relative_to(ROOT)}:{text.lineno}", _plain(text.value))


def of_code(file: Path) -> Iterator[Passage]:
    """The messages of errors and the public docstrings of a file of the product."""
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    for line, text in [*messages(file), *docstrings(file)]:
        yield Passage(f"{name}:{line}", _plain(text))


def _sources() -> list[Path]:
    return sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))


def _plain(text: str) -> str:
    """The words alone: code becomes a single word, a link its text."""
    text = re.sub(r"`[^`]*`", "Code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\s+", " ", re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", text)).strip()


def _long(passage: Passage) -> Iterator[str]:
    shielded = _ABBREVIATIONS.sub(lambda match: match[0].replace(".", "\N{ONE DOT LEADER}"), passage.text)
    for sentence in _END.split(shielded):
        words = re.findall(r"[A-Za-z0-9][\w.'%/-]*", sentence)
        if len(words) > LONGEST:
            yield f"{passage.where}: {len(words)} words in a sentence: {' '.join(words[:8])} ..."


def _words(passage: Passage) -> Iterator[str]:
    for pattern, remedy in STYLE.items():
        for match in re.finditer(pattern, passage.text, re.IGNORECASE):
            yield f"{passage.where}: {match[0]!r}: {remedy}"


def _proselint(passages: list[Passage]) -> list[str]:
    from proselint.checks import __register__
    from proselint.registry import CheckRegistry
    from proselint.tools import LintFile

    CheckRegistry().register_many(__register__)
    faults = []
    for passage in passages:
        results = LintFile(passage.where, passage.text).lint() if passage.text else []
        checks = [result.check_result for result in results]
        faults += [f"{passage.where}: {it.message}" for it in checks if not it.check_path.startswith(SILENT)]
    return faults


if __name__ == "__main__":
    sys.exit(main([Path(name).resolve() for name in sys.argv[1:]]))
