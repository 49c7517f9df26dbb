"""A conversation with a language model: its history, as much of it as the context holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core import Prediction
from edgekit.errors import BadInput
from edgekit.tasks.text_generation.writer import Writer

#: Tokens of the context that are kept for an answer.
_ANSWER = 256


class Conversation:
    """Questions and answers in turns. What both have said is in the prompt of the next turn, and in the model's cache.

    Args:
        writer: the model. system: a message before all others, which is never left out; None: none.
        options: of every turn, see `Writer.predict`.
    """

    def __init__(self, writer: Writer, system: str | None = None, **options: Any) -> None:
        self._writer, self._options = writer, options
        self._system = [{"role": "system", "content": system}] if system else []
        self.messages: list[dict[str, str]] = []

    def ask(self, text: str, **options: Any) -> Prediction:
        """The answer to `text`. What was answered before a cancellation stays in the history.

        Where the context is full, the oldest turns are left out; a note in the details says how many.

        Args:
            options: ``stream``, ``cancel`` and others, see `Writer.predict`.

        Raises:
            BadInput: the text is empty, or alone too long for the context.
        """
        asked, left_out = [*self.messages, {"role": "user", "content": text}], 0
        while len(asked) > 1 and not self._fits(asked):
            asked, left_out = asked[2:], left_out + 1
        prediction = self._writer.predict([*self._system, *asked], **self._options, **options)
        self.messages = [*asked, {"role": "assistant", "content": prediction.output}]
        if left_out:
            turns = "the oldest turn was" if left_out == 1 else f"the {left_out} oldest turns were"
            prediction.details["notes"].append(f"the context is full: {turns} left out")
        return prediction

    def clear(self) -> None:
        """Forget all turns."""
        self.messages = []

    def _fits(self, messages: Sequence[dict[str, str]]) -> bool:
        try:
            return self._writer.tokens_left([*self._system, *messages], **self._options) >= _ANSWER
        except BadInput:
            return False
