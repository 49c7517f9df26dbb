"""Data folders of audio classification: words, or sounds without a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.common.files import read_text
from edgekit.core import Sample
from edgekit.errors import BadInput
from edgekit.numerics.alarms import NOTHING
from edgekit.tasks.common.folders import need_files, plain_samples, sounds_below


def word_samples(folder: Path, labels: tuple[str, ...], loose: bool = False) -> Sequence[Sample]:
    """Samples of ``labels.csv`` (file, class_index) with ``features/``, or of a folder of sounds per word.

    A folder of a word that is not a label of the model is "unknown"; ``_background_noise_`` is "silence".

    Args:
        loose: whether sounds outside of such folders are used, too, as "unknown".
    """
    listing = folder / "labels.csv"
    if listing.is_file():
        return _read_listing(listing, labels)
    found = sounds_below(folder)
    sounds = found if loose or all(path.parent != folder for path in found) else []
    return [
        Sample(
            str(path),
            "unknown" if path.parent == folder else _label_of(path.parent.name, labels),
            f"{path.parent.name}/{path.name}",
        )
        for path in need_files(sounds, folder, "neither a labels.csv nor one folder of sounds for each word")
    ]


def _read_listing(listing: Path, labels: tuple[str, ...]) -> list[Sample]:
    samples = []
    lines = read_text(listing).splitlines()
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        name, _, index = line.strip().partition(",")
        if not index.isdecimal() or int(index) >= len(labels):
            raise BadInput(f"{listing}, line {number}: expected a file and a class from 0 to {len(labels) - 1}.")
        path = listing.parent / "features" / name
        if not path.is_file():
            raise BadInput(f"{listing}, line {number}: there is no file {f'features/{name}'!r}.")
        samples.append(Sample(str(path), labels[int(index)], name))
    return samples


def _label_of(folder: str, labels: tuple[str, ...]) -> str:
    name = folder.strip("_").lower()
    if name == "background_noise":
        return "silence"
    return name if name in labels else "unknown"


def sounds(folder: Path) -> Sequence[Sample]:
    """Every sound below `folder`, without a truth."""
    return plain_samples(sounds_below(folder), folder, "no sound")


def phrases(folder: Path, phrase: str) -> Sequence[Sample]:
    """Every sound below `folder`; its truth is the phrase if its own folder is named after it, else `NOTHING`."""
    return [
        Sample(str(path), phrase if _spelt(path.parent.name) == phrase else NOTHING, str(path.relative_to(folder)))
        for path in need_files(sounds_below(folder), folder, "no sound")
    ]


def _spelt(folder: str) -> str:
    return folder.strip("_").lower().replace("_", "-").replace(" ", "-")
