"""Recommendation: from the items that a person liked to the items that this person may like next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import read_text
from edgekit.common.lazy import Floats, np
from edgekit.core import Agreement, Evaluation, Facts, Prediction, Predictor, Runner, Sample, Task, fact_of
from edgekit.errors import BadInput
from edgekit.tasks.common.drawing import render_text
from edgekit.tasks.common.folders import json_lines
from edgekit.tasks.common.labels import top_of

#: Most bytes of a file with ids, and most digits of an id.
_LARGEST = 1 << 20
_ENTRY = '{"items": [50, 181], "later": [172]}'


def samples(folder: Path) -> Sequence[Sample]:
    """A person a line of ``histories.jsonl``; the truth is what was chosen later.

    Raises:
        BadInput: no such file, or a line of another form.
    """
    table = folder / "histories.jsonl"
    if not table.is_file():
        raise BadInput(f"{folder} holds no histories.jsonl.", hint="See docs/data.md.")
    persons = json_lines(table, lambda entry: (liked_of(entry["items"]), liked_of(entry["later"])), _ENTRY)
    made = [Sample(items, later, f"line-{where.rpartition(' ')[2]}") for where, (items, later) in persons]
    if not made:
        raise BadInput(f"{table} holds no line.", hint="See docs/data.md.")
    return made


def liked_of(sample: Any) -> list[int]:
    """The ids of a sample, each once, in order.

    Args:
        sample: ids as whole numbers; or a text of them with commas or white space between, or a file of such text.

    Raises:
        BadInput: it holds no id, or something else than ids.
    """
    if isinstance(sample, (str, Path)):
        text = str(sample)
        if not re.fullmatch(r"[\d\s,;]*", text):
            text = _of_file(Path(sample))
        pieces: Sequence[Any] = [int(piece) for piece in re.findall(r"\d+", text)]
    elif isinstance(sample, Sequence):
        pieces = sample
    else:
        raise BadInput(f"a sample is a list of ids of items, not {type(sample).__name__}.")
    if any(isinstance(piece, bool) or not isinstance(piece, int) or piece < 0 for piece in pieces):
        raise BadInput("an id of an item is a whole number.")
    if not pieces:
        raise BadInput("there is no id of an item.", hint="Give ids of liked items, such as: 50,181,172")
    return list(dict.fromkeys(int(piece) for piece in pieces))


def _of_file(path: Path) -> str:
    if not path.is_file():
        raise BadInput(f"{str(path)!r} is neither ids of items nor a file.", hint="Ids look like this: 50,181,172")
    text = read_text(path, _LARGEST)
    if not re.fullmatch(r"[\d\s,;]*", text):
        raise BadInput(f"{path.name} holds something else than ids of items with commas or lines between.")
    return text


#: Items of an answer that metrics use at least.
_RANKED = 10


class Recommender(Predictor):
    """From ids of liked items to the items that go best with them.

    Part ``network``: ``history`` float32 [1, items], 1 / sqrt(number of liked items) where an item is liked, else 0
    -> ``vector`` float32 [1, numbers].

    `facts`: ``vectors``, a file of the bundle, .npy of float16 or float32 [items, numbers]; its first row is of the
    item with the id ``first``. ``titles``, a file with a row an item and columns parted by tabs, of which the first is
    the id, and then title and year; "": items have no titles.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        (self._network,) = parts.values()
        self._history, self._vector = self._network.inputs[0], self._network.outputs[0]
        self._first, named = fact_of(facts, "first", int), fact_of(facts, "titles", str)
        self._vectors = _vectors(folder / Path(fact_of(facts, "vectors", str)).name, self._history.shape[-1])
        self._titles = _titles(folder / Path(named).name) if named else {}

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The best items as text, a line each; in the details ``items``: id, title and score of each, best first.

        Args:
            sample: ids of liked items (`edgekit.tasks.recommendation.liked_of`). None of them is recommended.
            top: option, the number of items that are listed.

        Raises:
            BadInput: no id is an item's, or an option is unknown or no number.
        """
        top = top_of(options, _RANKED, "items")
        vectors, titles = self._vectors, self._titles
        liked = liked_of(sample)
        known = [item - self._first for item in liked if 0 <= item - self._first < len(vectors)]
        if not known:
            last = self._first + len(vectors) - 1
            raise BadInput(f"no liked item is known: ids are {self._first} to {last}.")
        history = np.zeros((1, len(vectors)), np.float32)
        history[0, known] = len(known) ** -0.5
        scores = vectors @ self._network({self._history.name: history})[self._vector.name][0].astype(np.float32)
        scores[known] = -np.inf
        order = np.argsort(-scores, kind="stable")[: min(max(top, _RANKED), len(scores) - len(known))]
        items = [int(row) + self._first for row in order]
        listed = [
            {"id": item, "title": titles.get(item, ""), "score": float(scores[row])}
            for item, row in zip(items[:top], order[:top], strict=True)
        ]
        lines = [f"{entry['score']:7.3f}  {entry['id']:5}  {entry['title']}".rstrip() for entry in listed]
        absent = len(liked) - len(known)
        notes = [f"{absent} of {len(liked)} liked items are not known"] if absent else []
        details = {"items": listed, "liked": [titles.get(item, str(item)) for item in liked], "lines": lines}
        best = titles.get(items[0], str(items[0])) if items else ""
        return Prediction(best, {**details, "notes": notes}, {"persons": 1.0}, score={"items": items})


def _vectors(file: Path, items: Any) -> Floats:
    """The table in `file`. Raises BadInput if it is of another number of items."""
    try:
        table = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as exc:
        raise BadInput(f"{file.name} is no table of vectors: {exc}.") from exc
    if table.ndim != 2 or table.dtype not in (np.float16, np.float32) or table.shape[0] != items:
        raise BadInput(f"{file.name} holds {table.dtype} {list(table.shape)}, not a vector for each of {items} items.")
    vectors: Floats = table.astype(np.float32)
    return vectors


def _titles(file: Path) -> dict[int, str]:
    """Id -> title and year. A row of another form is left out."""
    rows = [line.split("\t") for line in read_text(file).splitlines()[1:]]
    return {int(row[0]): f"{row[1]} ({row[2]})" for row in rows if len(row) > 2 and row[0].isdigit()}


#: Items of an answer that are compared, and how many of these must be fp32's.
_FIRST, _SAME = 10, 9


def _answer(prediction: Prediction) -> list[int]:
    return [int(item) for item in prediction.metric_input["items"][:_FIRST]]


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [len(set(answer) & set(wanted)) >= _SAME for answer, wanted in zip(answers, reference, strict=True)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    pairs = list(zip(answers, reference, strict=True))
    if not pairs:
        return {}
    shared = [len(set(answer) & set(wanted)) / max(1, len(wanted)) for answer, wanted in pairs]
    first = [answer[:1] == wanted[:1] for answer, wanted in pairs]
    return {"mean share of the same items": sum(shared) / len(shared), "the same first item": sum(first) / len(first)}


TASK = Task(
    "recommendation",
    "ids",
    "answers",
    lambda folder, labels: samples(folder),
    Recommender,
    metric="recall@10",
    golden="recommender/liked.txt",
    evaluation=Evaluation("recall@10", worst=None, drop=0.01, minimum=50),
    agreement=Agreement(
        f"{_SAME} of the first {_FIRST} items are fp32's, in any order", _answer, _same, 0.9, _figures, bounds=False
    ),
    show=lambda sample, prediction: render_text(prediction.details["lines"]),
)
