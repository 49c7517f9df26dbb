"""A chat with a language model at the terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edgekit.core import Prediction
from edgekit.errors import BadInput
from edgekit.tasks.text_generation.conversation import Conversation
from edgekit.tasks.text_generation.writer import Writer

_HELP = "Ctrl-C stops an answer; /new begins anew; /exit or Ctrl-D leaves."


def chat(writer: Writer, options: Mapping[str, Any], name: str) -> None:
    """Turn by turn until the end of the input. `options`: see `Writer.predict`; ``system`` is the system prompt."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # arrow keys and history for input()
    rest = {key: value for key, value in options.items() if key != "system"}
    conversation = Conversation(writer, options.get("system"), **rest)
    print(f"{name}. {_HELP}")
    while True:
        try:
            text = input("> ").strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print(f"\n{_HELP}")
            continue
        if text == "/exit":
            return
        if text == "/new":
            conversation.clear()
            print("The history is empty.")
        elif text.startswith("/"):
            print(_HELP)
        elif text:
            _turn(conversation, text)


def _turn(conversation: Conversation, text: str) -> None:
    began = time.perf_counter()
    with _catch_interrupts() as stopped:
        try:
            answer = conversation.ask(text, stream=lambda piece: print(piece, end="", flush=True), cancel=stopped)
        except BadInput as exc:
            print(f"edgekit: {exc}", file=sys.stderr)
            return
    print()
    for note in answer.details["notes"]:
        print(note, file=sys.stderr)
    print(_status(answer, time.perf_counter() - began), file=sys.stderr)


def _status(answer: Prediction, seconds: float) -> str:
    """Speed of the answer after its first token, and how full the context is."""
    details = answer.details
    writing = seconds - answer.marks.get("first_token", seconds)
    speed = f"{(details['tokens'] - 1) / writing:.1f} tokens/s, " if details["tokens"] > 1 and writing > 0 else ""
    used = details["prompt_tokens"] + details["tokens"]
    ended = {"cancelled": ", stopped", "length": ", cut: -o most=N allows more"}.get(details["finish"], "")
    return f"[{speed}context {used} of {details['context']} tokens{ended}]"


@contextlib.contextmanager
def _catch_interrupts() -> Iterator[Callable[[], bool]]:
    """Inside of the block Ctrl-C only makes the function that it gives return True."""
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
