"""Data folders of sounds: ``manifest.jsonl``, a line a sound, with what is true of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.files import read_text
from edgekit.core import Sample
from edgekit.errors import BadInput

_SOUNDS = (".flac", ".wav", ".ogg", ".mp3")


def sounds(
    folder: Path, truth: Callable[[Mapping[str, Any]], Any], expected: str, language: str = ""
) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl``, whose lines name a file as ``audio``; without it every sound, without a truth.

    Args:
        truth: an entry -> what is true of it; raises ValueError, KeyError or TypeError for an entry without it.
        expected: of an entry, for the error: ``'{"audio": ..., "text": ...}'``.
        language: name of the entry with the code of a language, where there is one.

    Raises:
        BadInput: another layout, an absent file, or an entry that `truth` refuses.
    """
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SOUNDS)
        if not files:
            raise BadInput(f"{folder} holds neither a manifest.jsonl nor any sound.", hint="See docs/data.md.")
        return [Sample(str(path), None, path.name) for path in files]
    samples = []
    for number, line in enumerate(read_text(manifest).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{manifest}, line {number}"
        try:
            entry = json.loads(line)
            name, right = str(entry["audio"]), truth(entry)
            code = entry.get(language, "") if language else ""
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise BadInput(f"{where}: expected {expected}.") from exc
        if not isinstance(code, str):
            raise BadInput(f'{where}: a language is a code such as "de", not {code!r}.')
        if not (folder / name).is_file():
            raise BadInput(f"{where}: there is no file {name!r}.")
        samples.append(Sample(str(folder / name), right, name, code.strip().lower()))
    return samples
