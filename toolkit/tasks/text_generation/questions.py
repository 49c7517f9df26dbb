"""Questions with right answers, as JSON lines: a text, one of several choices, or the fields of a JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.common.documents import parse_json
from edgekit.common.files import read_text
from edgekit.core import Facts, Sample
from edgekit.errors import BadInput
from edgekit.tasks.text_generation.writer import Writer

_FORMS = (
    '{"question": "...", "answer": "..."}, {"question": "...", "choices": ["...", "..."], "answer": "..."} or '
    '{"question": "...", "fields": {...}}; see docs/data.md.'
)
_NAMES = {"question", "answer", "choices", "fields", "schema", "system"}
#: Tokens of an answer beyond the bytes of the right one: who needs more has said something else.
_SPARE = 16
_LONGEST = 1024


@dataclass(frozen=True)
class Question:
    """A question to a language model.

    Attributes:
        text: the question. system: a message before it; "": none. choices: of which one is right; empty: free text.
        fields: whether the answer is a JSON object. schema: a JSON schema that such an answer keeps to, as text; "":
            none. most: tokens that an answer may have.
    """

    text: str
    system: str = ""
    choices: tuple[str, ...] = ()
    fields: bool = False
    schema: str = ""
    most: int = _LONGEST

    @property
    def messages(self) -> list[dict[str, str]]:
        before = [{"role": "system", "content": self.system}] if self.system else []
        return [*before, {"role": "user", "content": self.text}]


def questions(path: Path) -> list[Sample]:
    """The questions of a .jsonl, with their right answers: a tuple of texts, each of which is right, or an object.

    Raises:
        BadInput: a line is no question; the message has its number. There is none at all, or the file is no text.
    """
    samples = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                question, truth = _question(line)
            except (ValueError, BadInput) as exc:
                why = f"{path.name}, line {number}: {str(exc).rstrip('.')}."
                raise BadInput(why, hint=f"A line is {_FORMS}") from exc
            samples.append(Sample(question, truth, f"{path.name}, line {number}"))
    if not samples:
        raise BadInput(f"{path} holds no question.", hint=f"A line is {_FORMS}")
    return samples


def _question(line: str) -> tuple[Question, Any]:
    """A line's question and its truth. Raises ValueError, which says what is wrong."""
    entry = parse_json(line, "it")
    if not isinstance(entry, dict):
        raise ValueError("it is no JSON object")
    if unknown := sorted(entry.keys() - _NAMES):
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(sorted(_NAMES))}")
    text, system = _text(entry, "question"), _text(entry, "system") if "system" in entry else ""
    if "fields" in entry:
        return _of_fields(entry, text, system)
    if "schema" in entry:
        raise ValueError('a "schema" goes with "fields"')
    if "choices" in entry:
        choices = _texts(entry["choices"], "choices")
        if len(set(choices)) < 2:
            raise ValueError('"choices" are two texts or more')
        right = _text(entry, "answer")
        if right not in choices:
            raise ValueError(f"the answer {right!r} is none of the choices")
        return Question(text, system, choices), (right,)
    accepted = _texts(entry["answer"], "answer") if isinstance(entry.get("answer"), list) else (_text(entry, "answer"),)
    longest = max(len(item.encode()) for item in accepted)
    return Question(text, system, most=min(longest + _SPARE, _LONGEST)), accepted


def _of_fields(entry: Facts, text: str, system: str) -> tuple[Question, Facts]:
    fields, schema = entry["fields"], entry.get("schema")
    if "answer" in entry or "choices" in entry:
        raise ValueError('"fields" are the answer: neither "answer" nor "choices" go with them')
    if not isinstance(fields, dict) or not fields:
        raise ValueError('"fields" are a JSON object with a field or more')
    if schema is not None and not isinstance(schema, dict):
        raise ValueError('a "schema" is a JSON object')
    most = min(2 * len(json.dumps(fields, indent=2).encode()) + 4 * _SPARE, _LONGEST)
    return Question(text, system, (), True, "" if schema is None else json.dumps(schema), most), fields


def _text(entry: Facts, name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name!r} is a text that is not empty")
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError(f"{name!r} is a list of texts, none of them empty")
    return tuple(value)


def answer(writer: Writer, question: Question) -> Any:
    """The model's greedy answer: a text; the likeliest choice; or what the JSON says, None where it is no JSON.

    The likeliest choice has the largest log-likelihood per byte: by the token, it would depend on the vocabulary, and
    as a sum, the shortest would win.

    Raises:
        BadInput: the question does not fit the model's context, or its schema no grammar.
    """
    if question.choices:
        return _likeliest(writer, question)
    schema = json.loads(question.schema) if question.schema else None
    text: str = writer.predict(question.messages, most=question.most, schema=schema).output
    return _json(text) if question.fields else text


def _likeliest(writer: Writer, question: Question) -> str:
    endings = [writer.network.tokenize(choice, bos=False) for choice in question.choices]
    totals = writer.network.likelihoods(writer.prompt_tokens(question.messages), endings)
    means = [total / len(choice.encode()) for total, choice in zip(totals, question.choices, strict=True)]
    return question.choices[means.index(max(means))]


def _json(text: str) -> Any:
    """What an answer in JSON says, without the fence of Markdown that models like to put around it."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return parse_json(bare, "an answer")
    except BadInput:
        return None


def tokens(writer: Writer, samples: Sequence[Sample]) -> list[int]:
    """The tokens of all questions, each with a right answer behind it: what a specialist's calibration reads."""
    row: list[int] = []
    for sample in samples:
        right = json.dumps(sample.truth) if sample.input.fields else sample.truth[0]
        row += writer.prompt_tokens(sample.input.messages) + writer.network.tokenize(right, bos=False)
    return row
