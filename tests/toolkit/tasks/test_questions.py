"""Questions with right answers: reading, answering, scoring, and the gate over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.toys.tiny_language import MODEL

from edgekit.bench import metrics
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.gate import questions as gate
from edgekit.gate.agreement import not_measured
from edgekit.gate.judges import ProbabilityJudge
from edgekit.tasks.text_generation import samples
from edgekit.tasks.text_generation.questions import Question, answer, questions, tokens
from edgekit.tasks.text_generation.writer import Writer

CITY = {"question": "Where?", "fields": {"city": "Oslo", "people": 700000}, "schema": {"type": "object"}}
LINES: list[dict[str, Any]] = [
    {"question": "Two and two?", "answer": ["4", "four"], "system": "Be brief."},
    {"question": "Which?", "choices": ["no", "yes"], "answer": "yes"},
    CITY,
]
TEMPLATE = "{% for m in messages %}{{ m.content }};{% endfor %}"


class Says:
    """A language model of bytes that says `text`, and likes endings by their last letter."""

    context_length, vocabulary, metadata = 1024, 256, {"tokenizer.chat_template": TEMPLATE}

    def __init__(self, text: str) -> None:
        self.text, self.schemas = text, []  # type: ignore[var-annotated]

    def tokenize(self, text: str, *, special: bool = False, bos: bool | None = None) -> list[int]:
        return list(text.encode())

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        return bytes(tokens)

    def generate(self, tokens: Sequence[int], *, most: int, schema: Any = None, **_: Any) -> Iterator[int]:
        self.schemas.append(schema)
        yield from self.text.encode()[:most]

    def likelihoods(self, prompt: Sequence[int], endings: Sequence[Sequence[int]]) -> list[float]:
        return [float(ending[-1]) * len(ending) for ending in endings]


def says(text: str, folder: Path) -> Writer:
    return Writer({"network": Says(text)}, folder, {"context": 1024})


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "asked.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_file_and_a_folder_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, LINES[0], "", *LINES[1:])
    asked = questions(path)
    assert [sample.name for sample in asked] == [f"asked.jsonl, line {n}" for n in (1, 3, 4)]
    assert [sample.truth for sample in asked] == [("4", "four"), ("yes",), CITY["fields"]]
    assert asked[0].input.messages[0] == {"role": "system", "content": "Be brief."}
    assert list(samples(path)) == list(samples(tmp_path)) == asked
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(BadInput, match="judged in different ways"):
        samples(tmp_path)
    assert [sample.name for sample in samples(tmp_path / "a.txt")] == ["a.txt"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "asked.jsonl, line 2"),
        ("[]", "no JSON object"),
        ({"answer": "a"}, "'question' is a text"),
        ({"question": " ", "answer": "a"}, "'question' is a text"),
        ({"question": "q"}, "'answer' is a text"),
        ({"question": "q", "answer": []}, "list of texts"),
        ({"question": "q", "answer": ["a", 1]}, "list of texts"),
        ({"question": "q", "answers": "a"}, "'answers' is none of"),
        ({"question": "q", "choices": ["a", "a"], "answer": "a"}, "two texts or more"),
        ({"question": "q", "choices": ["a", "b"], "answer": "c"}, "none of the choices"),
        ({"question": "q", "choices": ["a", "b"]}, "'answer' is a text"),
        ({"question": "q", "fields": {}}, "a field or more"),
        ({"question": "q", "fields": {"a": 1}, "answer": "a"}, "fields. are the answer"),
        ({"question": "q", "fields": {"a": 1}, "schema": "x"}, "schema. is a JSON object"),
        ({"question": "q", "answer": "a", "schema": {}}, "goes with"),
        ({"question": "q", "answer": "a", "system": 3}, "'system' is a text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        questions(written(tmp_path, LINES[0], line))
    assert "asked.jsonl, line 2" in caught.value.message


def test_an_empty_file_and_bytes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no question"):
        questions(written(tmp_path, "", " "))
    (tmp_path / "asked.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="not a text in UTF-8"):
        questions(tmp_path / "asked.jsonl")


def test_answers(tmp_path: Path) -> None:
    text, choice, fields = (sample.input for sample in questions(written(tmp_path, *LINES)))
    assert answer(says("four", tmp_path), text) == "four"
    assert answer(says("yes", tmp_path), choice) == "yes"  # 's' is a later letter than 'o'
    fenced = says('```json\n{"city": "Oslo"}\n```', tmp_path)
    assert answer(fenced, fields) == {"city": "Oslo"}
    assert fenced.network.schemas == [{"type": "object"}]
    assert answer(says("Oslo", tmp_path), fields) is None
    assert len(answer(says("x" * 999, tmp_path), text)) == len("four") + 16  # who says more is wrong in any case


def test_what_is_right() -> None:
    right = metrics.find("right-answers")
    outputs = [" 4\n", "4.", "a  b", {"a": 1.0, "b": True}, {"a": 1, "b": 1}, None, {"a": [1, {"x": 2}]}]
    truths = [("4", "four"), ("4",), ("a b",), *[{"a": 1, "b": True}] * 3, {"a": [1.0, {"x": 2}]}]
    assert [value for value, _ in metrics.score(right, outputs, truths)] == [1, 0, 1, 1, 0.5, 0, 1]
    with pytest.raises(BadInput, match="no right answer"):
        metrics.score(right, ["a"], [None])


def asked(count: int) -> list[Sample]:
    return [Sample(Question(f"{i}?", choices=("a", "b")), ("a",), str(i)) for i in range(count)]


@pytest.mark.parametrize(
    ("count", "wrong", "reference_wrong", "verdict"),
    [
        (400, 80, 80, "pass"),
        (100, 20, 20, "un"),
        (100, 30, 20, "fail"),
        (100, 60, 20, "fail"),
        (10, 0, 0, "undecided"),
        (100, 21, 20, "un"),
    ],
)
def test_the_verdict_is_paired(count: int, wrong: int, reference_wrong: int, verdict: str) -> None:
    answers, base = (["b"] * n + ["a"] * (count - n) for n in (wrong, reference_wrong))
    judged = gate.judge(answers, base, asked(count), "asked")
    assert judged.verdict.startswith(verdict) and judged.metric == "right-answers"
    assert f"{count - abs(wrong - reference_wrong)} are the reference's" in judged.reason
    assert judged.value == 1 - wrong / count


def test_a_search_counts_points_of_right_answers() -> None:
    judged = gate.judge(["b"] * 25 + ["a"] * 75, ["b"] * 20 + ["a"] * 80, asked(100), "asked")
    told, loss = ProbabilityJudge().loss(MODEL, judged, not_measured(""))
    assert told is judged and loss is not None
    assert (loss.value, loss.unit, loss.allowed) == (pytest.approx(5), "points of right-answers", 2)


def test_the_bar_is_what_guessing_reaches() -> None:
    assert "bar of 50.00%" in gate.reference_misses(["b"] * 6 + ["a"] * 4, asked(10))
    assert not gate.reference_misses(["a"] * 10, asked(10))
    free = [Sample(Question(f"{i}?"), ("a",), str(i)) for i in range(20)]
    assert gate.reference_misses(["b"] * 20, free), "not a single right answer"
    assert gate.absolute(["a"] * 20, free, "asked").verdict == "above the bar"


def test_a_question_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    long = Sample(Question("x" * 2000), ("a",), "asked.jsonl, line 7")
    with pytest.raises(BadInput, match=r"asked\.jsonl, line 7: the prompt has"):
        gate.answers(says("a", tmp_path), [long], lambda *_: None, "")


def test_calibration_reads_questions_with_their_answers(tmp_path: Path) -> None:
    judge = ProbabilityJudge()
    texts = [Sample(f"{i}.txt") for i in range(20)]
    assert judge.calibrating(asked(20)) == asked(20) and judge.calibrating(texts) == texts[:8]
    row = bytes(tokens(says("", tmp_path), questions(written(tmp_path, *LINES)))).decode()
    assert row == 'Be brief.;Two and two?;4Which?;yesWhere?;{"city": "Oslo", "people": 700000}'
