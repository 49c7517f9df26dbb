"""A vendor's library in a process of its own: answers come, and whatever goes wrong is one typed error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import CannotRun
from edgekit.runtimes.common.process import Process


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=":")
    with Process("helpers.answering", "the library", 5.0) as process:
        yield process


def test_arrays_and_words_come_back_in_order(process: Process) -> None:
    arrays = {"b/1": np.arange(3, dtype=np.float32), "file": np.array(2, np.int64), "a": np.zeros((0, 4), np.uint8)}
    words, found = process.ask({"do": "double", "text": "é"}, arrays)
    assert words["said"] == "é"
    assert list(found) == list(arrays)
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], 2 * value)


def test_what_a_library_prints_is_no_answer(process: Process) -> None:
    assert process.ask({"do": "print"}) == ({}, {})


def test_a_refusal_is_one_line_and_the_process_goes_on(process: Process) -> None:
    with pytest.raises(CannotRun, match="the library: ValueError: no such layer"):
        process.ask({"do": "refuse"})
    assert process.ask({"do": "double", "text": ""})[0]["said"] == ""


def test_a_crash_says_how_and_the_next_question_is_answered(process: Process) -> None:
    with pytest.raises(CannotRun, match=r"crashed \(status 3: assertion failed in vendor\.cpp\)"):
        process.ask({"do": "crash"})
    assert process.ask({"do": "double", "text": "again"})[0]["said"] == "again"


def test_a_hang_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=":")
    with Process("helpers.answering", "the library", 3.0) as process:
        with pytest.raises(CannotRun, match="took longer than 3 s"):
            process.ask({"do": "hang"})
        assert process.ask({"do": "double", "text": "again"})[0]["said"] == "again"


def test_a_module_that_is_not_there_is_a_crash() -> None:
    with Process("helpers.no_such_module", "the library", 30.0) as process, pytest.raises(CannotRun, match="crashed"):
        process.ask({"do": "double"})
