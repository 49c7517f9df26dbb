"""From texts to phonemes: clauses and their marks, what is given as phonemes, and what goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgekit.errors import BadInput, MissingExtra
from edgekit.tasks.evidence.spoken import SPOKEN, spoken_sentences
from edgekit.tasks.text_to_speech.phonemes import phonemes_of, phonemize_text, sentences


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for espeak-ng that says the words without their marks, a line a word."""
    file = tmp_path / "espeak-ng"
    file.write_text("#!/bin/sh\ntr -d '.,;:!?' | tr ' ' '\\n'\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Come in, please; sit down.", ["Come in, please; sit down."]),
        ("Is it late? It is!", ["Is it late?", "It is!"]),
        ("Mr. Jones met J. R. Smith", ["Mr Jones met J R Smith"]),
        ("It costs 3.50 in all", ["It costs 350 in all"]),
        ("At ten a.m., not later", ["At ten am, not later"]),
        ("Wait\u2026 what?!", ["Wait\u2026.", "what?"]),
        ("no\n\nparagraphs  and   spaces", ["no paragraphs and spaces"]),
        ("... well", ["well"]),
    ],
)
def test_clauses_keep_their_marks(program: Path, text: str, wanted: list[str]) -> None:
    assert sentences(phonemes_of(text, "en-us")) == wanted


def test_words_of_other_languages_lose_their_flags(program: Path) -> None:
    program.write_text("#!/bin/sh\necho '(fr)bon(en) day'\n")
    assert phonemize_text("bon day", "en-us") == "bon day"


def test_phonemes_are_taken_as_they_are_and_decomposed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert phonemes_of("[[ h\u025blo\u028a, \u00e7a! ]]", "en-us") == "h\u025blo\u028a, c\u0327a!"


def test_text_and_phonemes_mix(program: Path) -> None:
    assert phonemes_of("Say [[ pe\u0254kan ]] twice.", "en-us") == "Say pe\u0254kan twice."


def test_a_missing_program_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="espeak-ng") as caught:
        phonemes_of("hello", "en-us")
    assert "apt-get install espeak-ng" in caught.value.hint


@pytest.mark.parametrize("text", ["\u2603\u2603", "...", "[[ ]]", "?!"])
def test_nothing_to_read_is_refused(program: Path, text: str) -> None:
    with pytest.raises(BadInput, match="nothing to read"):
        phonemes_of(text, "en-us")


def test_a_refusal_of_the_program_is_passed_on(program: Path) -> None:
    program.write_text("#!/bin/sh\necho 'no such voice' >&2\nexit 1\n")
    with pytest.raises(BadInput, match="no such voice"):
        phonemes_of("hello", "xx")


@pytest.mark.parametrize("voice", ["--version", "en us", "", "../en"])
def test_a_voice_is_no_option_of_the_program(program: Path, voice: str) -> None:
    with pytest.raises(BadInput, match="no voice"):
        phonemes_of("hello", voice)


def test_the_evidence_has_two_halves_of_plain_sentences() -> None:
    first, second = spoken_sentences("first"), spoken_sentences("second")
    assert len(first) == len(second) == 20 and not {text for text, _ in first} & {text for text, _ in second}
    assert all(text.isascii() and not phonemes.isascii() for text, phonemes in (*first, *second))
    assert [sample.input for sample in SPOKEN.samples(Path())] == [f"[[ {sound} ]]" for _, sound in (*first, *second)]


def test_the_evidence_is_what_espeak_makes_of_its_sentences() -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    for text, phonemes in (*spoken_sentences("first")[::5], *spoken_sentences("second")[::5]):
        assert phonemes_of(text, "en-us") == phonemes_of(f"[[ {phonemes} ]]", "en-us")
