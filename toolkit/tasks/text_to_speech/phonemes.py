"""From a text to phonemes, by the program espeak-ng.

espeak-ng is GPL-3.0: it is called as a program of its own, no part of it is in a bundle or in this package. What a
user gives in double brackets is taken as phonemes, and then the program is not needed: ``[[ həloʊ ]]``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator

from edgekit.errors import BadInput, MissingExtra

#: Phonemes that are given; marks that end a clause; those of them that end a sentence.
_BRACKETS = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_CLAUSE = re.compile(r"([.,;:!?…—]+[\"'\u201d\u2019)\]]*)(?=\s|$)")
_END = re.compile(r"(?<=[.!?])\s+")
#: Titles and initials, whose full stop ends nothing.
_TITLE = re.compile(r"(?:^|[\s(\"'\u201c\u2018])(?:Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Rev|Hon|Jr|Sr|vs|No|[A-Z])$")
#: Words of other languages are marked by them, such as "(fr)".
_LANGUAGE = re.compile(r"\([^)]*\)")
_VOICE = re.compile(r"[a-z0-9][a-z0-9+-]{0,31}")
_SECONDS = 20.0


def phonemes_of(text: str, voice: str) -> str:
    """The phonemes of a text in the International Phonetic Alphabet, with its marks: one string, decomposed (NFD).

    Args:
        voice: of espeak-ng, such as ``"en-us"``.

    Raises:
        BadInput: espeak-ng reads nothing in the text. MissingExtra: it is needed and not installed.
    """
    pieces = []
    for place, piece in enumerate(_BRACKETS.split(text)):
        pieces.append(piece if place % 2 else phonemize_text(piece, voice))
    joined = unicodedata.normalize("NFD", " ".join(piece.strip() for piece in pieces if piece.strip()))
    if not any(letter.isalpha() for letter in joined):
        raise BadInput(f"there is nothing to read in {text[:60]!r}.", hint="Give words, or phonemes as [[ həloʊ ]].")
    return joined


def sentences(phonemes: str) -> list[str]:
    """The sentences of a string of phonemes, each with its mark."""
    return [sentence for piece in _END.split(phonemes) if (sentence := piece.strip())]


def phonemize_text(text: str, voice: str) -> str:
    """The phonemes of a plain text by espeak-ng, a mark after each clause. Raises as `phonemes_of`."""
    made = []
    for clause, mark in _clauses(text):
        read = _espeak(clause, voice) if any(letter.isalnum() for letter in clause) else ""
        made.append(f"{read}{mark}" if read else "")
    return " ".join(clause for clause in made if clause)


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """(words, mark that ends them)."""
    held, begin = " ".join(text.split()), 0
    for match in _CLAUSE.finditer(held):
        if match[1][0] == "." and _TITLE.search(held[begin : match.start()]):
            continue
        yield held[begin : match.end()], _mark(match[1])
        begin = match.end()
    yield held[begin:], ""


def _mark(marks: str) -> str:
    """The mark that a voice knows: of several the strongest."""
    known = marks.replace("—", ",").replace("…", ".")
    return next(mark for mark in "?!,;:." if mark in known)


def _espeak(clause: str, voice: str) -> str:
    """What espeak-ng makes of a clause. The text goes in as input, never as an argument."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingExtra(
            "reading a text aloud needs the program espeak-ng, which is not installed.",
            hint="Install it with: apt-get install espeak-ng (macOS: brew install espeak-ng); or give phonemes: "
            '"[[ həloʊ ]]"',
        )
    if not _VOICE.fullmatch(voice):
        raise BadInput(f"{voice!r} is no voice of espeak-ng.", hint="See espeak-ng --voices.")
    command = [program, "-q", "--ipa", "-b", "1", "-v", voice, "--stdin"]
    try:
        made = subprocess.run(command, input=clause.encode(), capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BadInput(f"espeak-ng took more than {_SECONDS:.0f} s for {clause[:60]!r}.") from None
    if made.returncode:
        told = made.stderr.decode("utf-8", "replace").strip().splitlines()
        raise BadInput(f"espeak-ng refuses the voice {voice!r} or the text: {(told or ['no reason'])[-1][:200]}.")
    return " ".join(_LANGUAGE.sub("", made.stdout.decode("utf-8", "replace")).split())
