"""The pipeline of recommenders: a vector of the person, its products with a table of items' vectors, the best items."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.common.files import read_text
from edgekit.common.lazy import Floats, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.errors import BadInput
from edgekit.tasks.common.labels import top_of
from edgekit.tasks.recommendation.histories import liked_of

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
            sample: ids of liked items (`edgekit.tasks.recommendation.histories.liked_of`). None of them is recommended.
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
