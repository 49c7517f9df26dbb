"""Data folders of texts: a table of texts and labels, or lines of text files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import read_text
from edgekit.core import Sample
from edgekit.errors import BadInput

#: Lines of a folder that are used.
_MOST = 10_000


def lines(folder: Path, labels: Sequence[str] = ()) -> Sequence[Sample]:
    """Every line of every .txt below a folder, or of the file itself, without a truth.

    Raises:
        BadInput: there is no such line, or a file is not UTF-8.
    """
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.txt"))
    samples: list[Sample] = []
    for path in files:
        rows = read_text(path).splitlines()
        samples += [Sample(row.strip(), None, f"{path.name}:{at}") for at, row in enumerate(rows, 1) if row.strip()]
    if not samples:
        raise BadInput(
            f"{folder} holds no line of text.", hint="A sentence a line in a .txt will do; see docs/data.md."
        )
    return samples[:_MOST]


def texts(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``labels.csv`` (text, label, and perhaps text_pair); without it, `lines`.

    A label is the name of a class, or its number.

    Raises:
        BadInput: another header, an empty text, or a label that the model does not have.
    """
    table = folder if folder.suffix == ".csv" else folder / "labels.csv"
    if not table.is_file():
        return lines(folder)
    names = {label.casefold(): label for label in labels} | {str(i): label for i, label in enumerate(labels)}
    samples = []
    rows = csv.DictReader(io.StringIO(read_text(table), newline=""))
    try:
        if not {"text", "label"} <= set(rows.fieldnames or ()):
            raise BadInput(f"{table} has no columns text and label.", hint="See docs/data.md.")
        for row in rows:
            text, label, pair = ((row.get(name) or "").strip() for name in ("text", "label", "text_pair"))
            if not text:
                raise BadInput(f"{table}, line {rows.line_num}: the text is empty.")
            if label.casefold() not in names:
                raise BadInput(f"{table}, line {rows.line_num}: there is no label {label!r}; there are {len(labels)}.")
            samples.append(Sample((text, pair) if pair else text, names[label.casefold()], f"line {rows.line_num}"))
    except csv.Error as exc:
        raise BadInput(f"{table}, line {rows.line_num}: {exc}.") from exc
    return samples
