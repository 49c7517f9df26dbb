"""Spoken clips of 2 to 8 s, 16 kHz: 48 of eight voices, of which 32 of five voices are in English.

Three voices are in the first half, five in the second; none is in both. Behind a quarter of the clips another voice
speaks, 8 dB below: clean readings alone flattered Whisper's int8 (docs/evidence.md). The source of a clip is the voice
that is to be heard, not the one behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core import Evidence, Sample
from edgekit.tasks.evidence.stored import halves

#: Voice -> language, where it is not English.
_LANGUAGES = {"june": "fr", "carlo": "it", "ivrvoice": "ru"}
_LICENCES = "CC-BY-SA-3.0 AND CC-BY-3.0 AND BSD-2-Clause AND MIT"
_ORIGIN = (
    "telephone prompts of Asterisk, readings and commands of PocketSphinx's test data, a reading of moonshine-voice, "
    "and a speech of J. F. Kennedy"
)


def language_of(voice: str) -> str:
    """The code of the language of a voice."""
    return _LANGUAGES.get(voice, "en")


def _samples(folder: Path) -> Sequence[Sample]:
    clips = [(path, path.stem.rpartition("-")[0]) for half in halves("speech") for path in half]
    return [Sample(str(path), None, path.stem, language_of(voice), voice) for path, voice in clips]


def _english(folder: Path) -> Sequence[Sample]:
    return [sample for sample in _samples(folder) if sample.language == "en"]


#: Of speech recognition: in English, which every model of it knows.
SPEECH = Evidence("English speech", _LICENCES, f"32 clips in English: {_ORIGIN}", _english)
#: Of speakers: in four languages.
VOICES = Evidence("voices", _LICENCES, f"48 clips in four languages: {_ORIGIN}", _samples)
