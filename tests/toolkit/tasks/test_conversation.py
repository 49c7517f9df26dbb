"""A chat: history, a context that is full, and the terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.chat import chat
from edgekit.errors import BadInput
from edgekit.tasks.text_generation.conversation import Conversation
from edgekit.tasks.text_generation.writer import Writer

TEMPLATE = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"


class Echo:
    """A language model of bytes that answers "ok", or for ever."""

    context_length, vocabulary, metadata = 1024, 256, {"tokenizer.chat_template": TEMPLATE}

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.endless = False

    def tokenize(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        return list(text.encode())

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        return bytes(tokens)

    def generate(self, tokens: Sequence[int], *, most: int, cancel: Any = None, **_: Any) -> Iterator[int]:
        self.prompts.append(bytes(tokens).decode())
        for i, token in enumerate(b"ok" * most if self.endless else b"ok"):
            if i == 4 and self.endless:
                os.kill(os.getpid(), signal.SIGINT)
            if i == most or (cancel and cancel()):
                return
            yield token


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def writer(echo: Echo, tmp_path: Path) -> Writer:
    return Writer({"network": echo}, tmp_path, {"context": 1024})


def test_every_turn_has_the_history(writer: Writer, echo: Echo) -> None:
    talk = Conversation(writer, "Be brief.")
    assert [talk.ask("one").output, talk.ask("two").output] == ["ok", "ok"]
    assert echo.prompts == ["s:Be brief.;u:one;", "s:Be brief.;u:one;a:ok;u:two;"]
    talk.clear()
    talk.ask("three")
    assert echo.prompts[-1] == "s:Be brief.;u:three;"


def test_the_oldest_turns_leave_a_full_context(writer: Writer, echo: Echo) -> None:
    talk = Conversation(writer, "Be brief.")
    notes = [talk.ask(f"{i}" * 300).details["notes"] for i in range(4)]
    assert notes[0] == notes[1] == []
    assert notes[2] == ["the context is full: the oldest turn was left out"]
    assert echo.prompts[-1].startswith("s:Be brief.;u:222") and "u:333" in echo.prompts[-1]
    with pytest.raises(BadInput, match="context holds 1024"):
        talk.ask("x" * 2000)
    assert len(talk.messages) == 4  # what was refused is not in the history


def test_a_schema_gives_the_value_or_says_that_it_was_cut(writer: Writer) -> None:
    answer = writer.predict("one", schema={"type": "boolean"}, most=20)  # "ok" is no JSON
    assert "value" not in answer.details
    assert answer.details["notes"] == ["the answer was cut after 2 tokens and is no whole JSON"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def read(prompt: str) -> str:
        if not lines:
            raise EOFError
        line = lines.pop(0)
        if line == "^C":
            raise KeyboardInterrupt
        return line

    monkeypatch.setattr("builtins.input", read)
    return lines


def test_the_terminal(writer: Writer, echo: Echo, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said += ["hello", "", "^C", "/what", "/new", "x" * 2000, "again"]
    chat(writer, {"system": "S", "most": 8}, "toy")
    shown = capsys.readouterr()
    assert echo.prompts == ["s:S;u:hello;", "s:S;u:again;"]
    assert shown.out.count("ok") == 2 and shown.out.count("Ctrl-C stops an answer") == 3
    assert "context 14 of 1024 tokens" in shown.err and "context holds 1024" in shown.err


def test_ctrl_c_stops_an_answer_and_not_the_program(
    writer: Writer, echo: Echo, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    echo.endless, before = True, signal.getsignal(signal.SIGINT)
    said += ["go on", "/exit", "never read"]
    chat(writer, {}, "toy")
    shown = capsys.readouterr()
    assert "stopped]" in shown.err and shown.out.count("ok") == 2
    assert said == ["never read"]
    assert signal.getsignal(signal.SIGINT) is before
