"""Which samples are independent: those of one source, and near-duplicates, count once.

Near-duplicates are the same content, stored again: at another size, level or rate, recompressed, with a word changed.
Crops, mirrored pictures and other parts of a recording are not found; `Sample.source` tells of these.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.files import describe_content
from edgekit.common.lazy import Image, NDArray, np
from edgekit.core import Sample
from edgekit.errors import EdgekitError

Floats: TypeAlias = "NDArray[np.floating[Any]]"

#: Least correlation of the differences of two pictures, or of two sounds. Among 500 photographs of ImageNet no two
#: reach 0.56, and no copy at half the size or of quality 20 is below 0.98; of clips of LibriSpeech no two reach 0.36.
_LEAST = 0.8
#: Cells across and down; bands and moments.
_CELLS, _BANDS, _MOMENTS = 16, 16, 64
#: Rate of a sound in Hz, its most seconds, and samples of a spectrum.
_RATE, _SECONDS, _FRAME = 8_000, 60, 256
#: Least side in pixels of an array that is a photograph; bytes of a file that may be a text.
_SIDE, _TEXT = 64, 1 << 20
#: Words of a shingle, and the least share of shingles that two texts have in common.
_WORDS, _RESEMBLANCE = 4, 0.5
#: What the names of numbered sources begin with.
_NUMBERED = "source "
#: Two arrays are equal if they differ by so much of their largest value.
_ROUNDING = 1e-3


def independent_sources(samples: Sequence[Sample]) -> list[int]:
    """The number of each sample's source, from 0 in order of appearance.

    Samples with the same `Sample.source` have the same number, and so have near-duplicates and what is linked by both.
    """
    named = defaultdict[str, list[int]](list)
    for at, sample in enumerate(samples):
        if sample.source:
            named[sample.source].append(at)
    numbers: dict[int, int] = {}
    roots = _find_roots(len(samples), [*named.values(), *near_duplicates(samples)])
    return [numbers.setdefault(root, len(numbers)) for root in roots]


def with_sources(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, each with the number of its independent source as its name. Done again, nothing is read again."""
    if all(sample.source.startswith(_NUMBERED) for sample in samples):
        return list(samples)
    numbers = independent_sources(samples)
    return [replace(sample, source=f"{_NUMBERED}{number}") for sample, number in zip(samples, numbers, strict=True)]


def near_duplicates(samples: Sequence[Sample]) -> list[list[int]]:
    """Groups of two samples or more with the same content, as places in `samples`.

    Pictures and sounds: differences of neighbouring cells of a thumbnail, or of neighbouring bands of a spectrogram,
    that correlate by 0.8. These are the difference hash (Krawetz 2013, "Kind of Like That") and the fingerprint of
    Haitsma and Kalker 2002 ("A Highly Robust Audio Fingerprinting System"), but as values: where a picture is flat,
    signs are chance. Texts: half of their shingles of four words in common (Broder 1997, "On the Resemblance and
    Containment of Documents"). Arrays of float: equal
    within rounding. Anything else: equal bytes.
    """
    kinds = defaultdict[str, list[int]](list)
    prints = []
    for at, sample in enumerate(samples):
        kind, value = _print(sample.input)
        kinds[kind].append(at)
        prints.append(value)
    pairs = list[Sequence[int]]()
    for kind, places in kinds.items():
        of_kind = [prints[at] for at in places]
        near = _alike if kind in ("picture", "sound") else _resembling if kind == "text" else _equal
        pairs += [(places[i], places[j]) for i, j in near(of_kind)]
    groups = defaultdict[int, list[int]](list)
    for at, root in enumerate(_find_roots(len(samples), pairs)):
        groups[root].append(at)
    return [group for group in groups.values() if len(group) > 1]


def _find_roots(count: int, groups: Sequence[Sequence[int]]) -> list[int]:
    """The root of each place after the members of each group are joined (union-find)."""
    parents = list(range(count))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = at = parents[parents[at]]
        return at

    for group in groups:
        for at in group[1:]:
            parents[root(at)] = root(group[0])
    return [root(at) for at in range(count)]


def _print(value: Any) -> tuple[str, Any]:
    """The kind of an input ("picture", "sound", "text", or the form of arrays), and what is compared of it."""
    if isinstance(value, str) and not os.path.isfile(value):  # noqa: PTH113  Path raises for a text of 300 letters
        return "text", _shingles(value)
    readers: tuple[tuple[str, Callable[[Any], Any]], ...]
    readers = (("picture", _of_picture), ("sound", _of_sound), ("text", _of_text))
    if isinstance(value, (str, Path, np.ndarray)):
        for kind, read in readers[:1] if isinstance(value, np.ndarray) else readers:
            with contextlib.suppress(EdgekitError, ImportError, OSError, ValueError):
                return kind, read(value)
    arrays = value if isinstance(value, dict) else {"": value}
    if arrays and all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in arrays.values()):
        form = " ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        return form, np.concatenate([np.ravel(array) for array in arrays.values()]).astype(np.float32)
    return describe_content(value), np.zeros(0, np.float32)


def _of_picture(value: Any) -> Floats:
    """Differences of neighbouring cells, across and down: [2 * 16 * 15]."""
    from edgekit.tasks.common.pictures import open_image

    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3 or min(value.shape[:2]) < _SIDE:
            raise ValueError("no photograph")
        image = Image.fromarray(value)
    else:
        image = open_image(value)[0]
    small = np.asarray(image.convert("F").resize((_CELLS, _CELLS), Image.Resampling.BOX), np.float64)
    return _standard(np.concatenate([np.diff(small, axis=axis).ravel() for axis in (0, 1)]))


def _of_sound(file: str | Path) -> Floats:
    """Differences of neighbouring bands, 120 Hz to 4 kHz, at 64 moments of a sound's first minute."""
    from edgekit.tasks.common.audio import open_audio

    sound = open_audio(str(file), _RATE).window(0, _SECONDS * _RATE)
    loud = np.flatnonzero(np.abs(sound) > 0.1 * np.abs(sound).max(initial=0.0))
    sound = sound[loud[0] : loud[-1] + 1] if len(loud) else sound
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if len(frames) < _MOMENTS // 4:
        raise ValueError("a sound of half a second at least")
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_FRAME))))
    edges = np.geomspace(4, _FRAME // 2 + 1, _BANDS + 1).astype(int)
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    at = np.linspace(0, len(bands), min(_MOMENTS, len(bands)) + 1).astype(int)
    spectra = np.add.reduceat(bands, at[:-1], axis=0) / np.diff(at)[:, None]
    spectra = np.log(spectra + 0.01 * spectra.mean() + 1e-12)
    spread = np.linspace(0, len(spectra) - 1, _MOMENTS).round().astype(int)
    return _standard(np.diff(spectra[spread], axis=1).ravel())


def _of_text(file: str | Path) -> frozenset[int]:
    if Path(file).stat().st_size > _TEXT:
        raise ValueError("too long for a text")
    return _shingles(Path(file).read_text(encoding="utf-8"))


def _standard(values: Floats) -> Floats:
    """With mean 0 and length 1. Raises ValueError where all values are the same: there is nothing to compare."""
    centred = values - values.mean()
    size = float(np.sqrt(np.square(centred).sum()))
    if not size > 1e-6:
        raise ValueError("nothing is in it")
    unit: Floats = centred / size
    return unit


def _shingles(text: str) -> frozenset[int]:
    words = "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split() or [text]
    return frozenset(hash(tuple(words[i : i + _WORDS])) for i in range(max(1, len(words) - _WORDS + 1)))


def _alike(prints: Sequence[Floats]) -> Iterator[tuple[int, int]]:
    rows = np.stack(prints)
    for at in range(len(rows)):
        for other in np.flatnonzero(rows[at + 1 :] @ rows[at] > _LEAST):
            yield at, at + 1 + int(other)


def _resembling(prints: Sequence[frozenset[int]]) -> Iterator[tuple[int, int]]:
    holders = defaultdict[int, list[int]](list)
    for at, shingles in enumerate(prints):
        shared = Counter(other for shingle in shingles for other in holders[shingle])
        for other, count in shared.items():
            if count >= _RESEMBLANCE * (len(shingles) + len(prints[other]) - count):
                yield other, at
        for shingle in shingles:
            holders[shingle].append(at)


def _equal(prints: Sequence[Floats]) -> Iterator[tuple[int, int]]:
    """Only arrays with nearly the same mean are compared: neighbours in that order."""
    scales = [float(np.abs(values).max(initial=0.0)) for values in prints]
    means = [float(values.mean()) if len(values) else 0.0 for values in prints]
    order = sorted(range(len(prints)), key=means.__getitem__)
    for place, at in enumerate(order):
        if not math.isfinite(means[at]):
            continue
        for other in order[place + 1 :]:
            if not means[other] - means[at] <= _ROUNDING * scales[at]:
                break
            few = slice(None, None, 1 + len(prints[at]) // 64)  # most pairs differ in the first few values looked at
            if all(
                np.abs(prints[at][part] - prints[other][part]).max(initial=0.0) <= _ROUNDING * scales[at]
                for part in (few, slice(None))
            ):
                yield at, other
