"""Data folders of text in pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.tasks.common.pictures import images_below

_EXPECTED = '{"image": ..., "text": ...}'


def samples(folder: Path) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"image", "text"}, paths relative to the folder); without it every picture below,
    without a truth.

    Raises:
        BadInput: another layout, or an absent file.
    """
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        pictures = images_below(folder)
        if not pictures:
            raise BadInput(f"{folder} holds neither a manifest.jsonl nor any picture.", hint="See docs/data.md.")
        return [Sample(str(path), None, path.name) for path in pictures]
    made = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            made.append(_sample(folder, line, f"{manifest}, line {number}"))
    return made


def _sample(folder: Path, line: str, where: str) -> Sample:
    try:
        entry = json.loads(line)
        name, text = entry["image"], entry["text"]
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"{where}: expected {_EXPECTED}.") from exc
    if not isinstance(name, str) or not isinstance(text, str):
        raise BadInput(f"{where}: expected {_EXPECTED}.")
    if not (folder / name).is_file():
        raise BadInput(f"{where}: there is no file {name!r}.")
    return Sample(str(folder / name), text, name)
