"""What persons liked: ids of items, read from texts and files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import read_text
from edgekit.core import Sample
from edgekit.errors import BadInput

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
    made = []
    for number, line in enumerate(read_text(table).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            items, later = liked_of(entry["items"]), liked_of(entry["later"])
        except (ValueError, KeyError, TypeError, RecursionError, BadInput) as exc:
            raise BadInput(f"{table}, line {number}: expected {_ENTRY}.") from exc
        made.append(Sample(items, later, f"line-{number}"))
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
