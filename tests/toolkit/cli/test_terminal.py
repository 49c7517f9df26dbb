"""Tables in a terminal and in a pipe."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli.terminal import show_json, show_table

COLUMNS = ("model", "task", "parameters")
ROWS = (("a-long-name", "text-generation", "1.24 B"), ("b", "image-classification", ""))


class Terminal(io.StringIO):
    """Text output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_in_a_pipe_has_no_spaces_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("models", COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert any("a-long-name" in line and "1.24 B" in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize(("width", "together"), [(100, True), (30, False)])
def test_a_narrow_terminal_breaks_no_word(width: int, together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Terminal()
    monkeypatch.setattr("sys.stdout", output)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "50")  # a dumb terminal has 80 columns unless both are told
    monkeypatch.setenv("TERM", "dumb")
    show_table("models", COLUMNS, ROWS)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    assert any("a-long-name" in line and "text-generation" in line for line in lines) == together
    assert together or lines[-2:] == ["b", "  task: image-classification"]
    assert all(word in output.getvalue() for row in ROWS for word in row)


def test_json_has_no_numbers_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    """`bench --json` printed Infinity, which `report` refused to read."""
    show_json({"steps": float("inf"), "drop": float("nan"), "away": np.float32(0.5), "file": Path("é")})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "steps": None, "drop": None, "away": 0.5, "file": "é",
    }  # fmt: skip
