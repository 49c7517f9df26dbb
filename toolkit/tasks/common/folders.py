"""Data folders: the files in them, samples without a truth, and ``manifest.jsonl``, a line a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.documents import parse_json
from edgekit.common.files import read_text
from edgekit.core import Sample
from edgekit.errors import BadInput

_SOUNDS = (".flac", ".wav", ".ogg", ".mp3")


def sounds_below(folder: Path) -> list[Path]:
    """Every sound file in `folder` and its subfolders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SOUNDS and path.is_file())


def need_files(files: Iterable[Path], folder: Path, lacking: str) -> list[Path]:
    """`files`, sorted. Raises BadInput where there are none: `folder` holds `lacking` ("no sound")."""
    found = sorted(files)
    if not found:
        raise BadInput(f"{folder} holds {lacking}.", hint="See docs/data.md.")
    return found


def plain_samples(files: Iterable[Path], folder: Path, lacking: str) -> list[Sample]:
    """A sample of each file, without a truth. Raises as `need_files`."""
    return [Sample(str(path), None, path.relative_to(folder).as_posix()) for path in need_files(files, folder, lacking)]


def sounds(
    folder: Path, truth: Callable[[Mapping[str, Any]], Any], expected: str, language: str = ""
) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl``, whose lines name a sound as ``audio``; without it every sound, without a truth.

    Arguments and errors: see `manifest_samples`.
    """
    if not (folder / "manifest.jsonl").is_file():
        return plain_samples(sounds_below(folder), folder, "neither a manifest.jsonl nor any sound")
    return manifest_samples(folder, "audio", truth, expected, language)


def json_lines(file: Path, read: Callable[[Any], Any], expected: str) -> Iterator[tuple[str, Any]]:
    """Of each line of JSON in `file` where it is, for messages, and what `read` makes of its entry.

    Raises:
        BadInput: another form than `expected`, such as ``'{"audio": ..., "text": ...}'``, or the file is no text.
    """
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if line.strip():
            where = f"{file}, line {number}"
            try:
                made = read(parse_json(line, where))
            except (ValueError, KeyError, TypeError, OverflowError, BadInput) as exc:
                raise BadInput(f"{where}: expected {expected}.") from exc
            yield where, made


def manifest_samples(
    folder: Path, kind: str, truth: Callable[[Mapping[str, Any]], Any], expected: str, language: str = ""
) -> list[Sample]:
    """Samples of ``manifest.jsonl``.

    Args:
        kind: name of the entry that is a file's path, relative to the folder.
        truth: an entry -> what is true of it; raises ValueError, KeyError or TypeError for an entry without it.
        expected: of an entry, for the error: ``'{"audio": ..., "text": ...}'``.
        language: name of the entry with the code of a language, where there is one.

    Raises:
        BadInput: another layout, an absent file, or an entry that `truth` refuses.
    """

    def read(entry: Any) -> tuple[str, Any, Any]:
        return str(entry[kind]), truth(entry), entry.get(language, "") if language else ""

    samples = []
    for where, (name, right, code) in json_lines(folder / "manifest.jsonl", read, expected):
        if not isinstance(code, str):
            raise BadInput(f'{where}: a language is a code such as "de", not {code!r}.')
        if not (folder / name).is_file():
            raise BadInput(f"{where}: there is no file {name!r}.")
        samples.append(Sample(str(folder / name), right, name, code.strip().lower()))
    return samples
