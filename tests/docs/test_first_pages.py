"""The first pages show what their commands printed when `make recordings` ran them: no line is from another run."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SESSIONS = tomllib.loads((DOCS / "site" / "sessions.toml").read_text(encoding="utf-8"))


def words(line: str) -> str:
    """Without the spaces and rules by which a table is as wide as its screen."""
    return " ".join(line.replace("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "").split())


def outputs(page: str) -> dict[str, list[str]]:
    """Command -> the lines of the block behind it; of pages that give a command a block of its own."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    held = {}
    for (_, command), (language, shown) in itertools.pairwise(blocks):
        if command.startswith("edgekit ") and not language and not shown.startswith("edgekit "):
            held[command.strip()] = [words(line) for line in shown.splitlines() if words(line) not in ("", "...")]
    return held


@pytest.mark.parametrize("name", SESSIONS)
def test_a_page_shows_what_was_recorded(name: str) -> None:
    page = (DOCS / "start" / f"{name}.md").read_text(encoding="utf-8")
    recorded = (DOCS / "assets" / f"{name}.txt").read_text(encoding="utf-8").split("\n$ ")
    printed = {}
    for part in recorded:
        command, _, output = part.removeprefix("$ ").partition("\n")
        printed[re.sub(r"\S+/", "", command)] = {words(line) for line in output.splitlines()}
    assert list(printed) == [re.sub(r"\S+/", "", command) for command in SESSIONS[name]["commands"]]
    compared = 0
    for command, lines in outputs(page).items():
        if command in printed:
            missing = [line for line in lines if line not in printed[command]]
            assert not missing, f"{command} printed other lines; copy them from docs/assets/{name}.txt: {missing}"
            compared += len(lines)
    assert compared > 8
    assert f"../assets/{name}.txt" in page, "the page links the whole text"
