"""A chat template as the texts between messages, for programs that have no Jinja2.

Templates are programs, but nearly all of them put fixed texts around each message. Those texts are read off a few
rendered conversations, and believed only if longer ones, put together from them, are what the template makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core import Json
from edgekit.errors import Unsupported
from edgekit.formats.gguf.template import render

_SYSTEM, _QUESTIONS, _ANSWERS = "Ssys7", ("Qone7", "Qtwo7", "Qsix7"), ("Aone7", "Atwo7")


def between(template: str, tokens: Mapping[str, str]) -> dict[str, Json]:
    """The texts of `template`.

    Args:
        tokens: see `edgekit.formats.gguf.template.render`.

    Returns:
        ``start`` (before the first question, without a system message), ``system`` and ``question`` (around a system
        message), ``reply`` and ``next`` (around an answer), ``answer`` (before the answer that is wanted); ``trim``:
        whether messages lose the spaces around them; ``begins``: whether the text begins with the BOS token.

    Raises:
        BadInput: as `render`. Unsupported: the template does more than put texts around messages.
    """
    alone = _cut(render(template, _messages(1, ""), tokens), _QUESTIONS[:1])
    told = _cut(render(template, _messages(1, _SYSTEM), tokens), (_SYSTEM, _QUESTIONS[0]))
    turns = _cut(render(template, _messages(2, ""), tokens), (_QUESTIONS[0], _ANSWERS[0], _QUESTIONS[1]))
    texts: dict[str, Json] = {
        "start": alone[0],
        "system": told[0],
        "question": told[1],
        "reply": turns[1],
        "next": turns[2],
        "answer": alone[1],
        "begins": bool(tokens.get("bos_token")) and alone[0].startswith(tokens["bos_token"]),
    }
    for trim in (False, True):
        texts["trim"] = trim
        if all(render_prompt(texts, case) == render(template, case, tokens) for case in _cases()):
            return dict(texts)
    raise _too_much()


def render_prompt(texts: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> str:
    """The prompt for an answer to the last of `messages`, put together from the texts of `between`."""
    contents = [message["content"].strip() if texts["trim"] else message["content"] for message in messages]
    made = texts["start"]
    if messages[0]["role"] == "system":
        made = texts["system"] + contents.pop(0) + texts["question"]
    after = [texts["next" if i % 2 else "reply"] for i in range(len(contents) - 1)] + [texts["answer"]]
    return str(made + "".join(content + text for content, text in zip(contents, after, strict=True)))


def _messages(questions: int, system: str, around: str = "") -> list[dict[str, str]]:
    said = [{"role": "system", "content": system}] if system else []
    for i in range(questions):
        said.append({"role": "user", "content": around + _QUESTIONS[i] + around})
        if i < questions - 1:
            said.append({"role": "assistant", "content": around + _ANSWERS[i] + around})
    return said


def _cases() -> list[list[dict[str, str]]]:
    return [_messages(3, _SYSTEM), _messages(3, ""), _messages(2, _SYSTEM, " \n")]


def _cut(text: str, marks: Sequence[str]) -> list[str]:
    """The texts around `marks`, which stand in `text` once each and in order."""
    pieces = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found:
            raise _too_much()
        pieces.append(before)
    return [*pieces, text]


def _too_much() -> Unsupported:
    return Unsupported(
        "the model's chat template does more than put texts around messages; an app has no Jinja2 to run it with.",
        hint="Take another template: --weights with a tokenizer whose chat_template is plain.",
    )
