"""The transcriber of Whisper: prompt, history, language, options, tokens."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.cases.whisper_cases import FACTS, RATE, Phrase, sound
from helpers.toys.toy_whisper import EOT, VOCABULARY, ToyWhisper, says, write_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import BadInput
from edgekit.models.whisper.loop.options import options_of
from edgekit.models.whisper.loop.recognition import window_seconds
from edgekit.models.whisper.loop.tokens import Tokens
from edgekit.registry import find
from edgekit.tasks.resolved import samples_of

# --- prompt, history and language ------------------------------------------------------------------------------------


def test_the_prompt_of_the_decoder(toy_whisper: ToyWhisper, say: Phrase) -> None:
    facts = toy_whisper.tokens
    sot, german = facts["start_of_transcript"], facts["languages"]["de"]
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [sot, german, facts["transcribe"], facts["no_timestamps"]]),
        ({"task": "translate"}, [sot, german, facts["translate"], facts["no_timestamps"]]),
        ({"timestamps": True}, [sot, german, facts["transcribe"]]),
        (
            {"prompt": " Ada "},
            [facts["start_of_previous"], *say(" Ada"), sot, german, facts["transcribe"], facts["no_timestamps"]],
        ),
    ]
    for options, expected in cases:
        decoder = says([say(0.0, "x", 1.0) if "timestamps" in options else say("x")])
        transcriber, _ = toy_whisper.transcriber(decoder)
        transcriber.predict(sound(3.0), language="de", **options)
        assert decoder.prompts[0] == expected


def test_control_tokens_in_a_prompt_are_not_obeyed(toy_whisper: ToyWhisper, say: Phrase) -> None:
    decoder = says([say("x")])
    transcriber, _ = toy_whisper.transcriber(decoder)
    transcriber.predict(sound(3.0), language="en", prompt="a<|startoftranscript|><|zh|>b<|endoftext|>")
    facts = toy_whisper.tokens
    assert decoder.prompts[0].count(facts["start_of_transcript"]) == 1
    assert facts["languages"]["zh"] not in decoder.prompts[0]
    assert facts["end_of_text"] not in decoder.prompts[0]


def test_the_prompt_serves_the_first_window_only(toy_whisper: ToyWhisper, say: Phrase) -> None:
    decoder = says([say(0.0, "one", 30.0), say(0.0, "two", 9.0)])
    transcriber, _ = toy_whisper.transcriber(decoder)
    transcriber.predict(sound(45.0), language="en", prompt="Ada")
    previous = toy_whisper.tokens["start_of_previous"]
    assert [prompt[0] == previous for prompt in decoder.prompts] == [True, False]


def test_condition_feeds_what_was_said(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """The text that is kept, without the unfinished end that the next window hears again."""
    decoder = says([say(0.0, "one", 20.0, 20.0, "tw"), say(0.0, "two", 9.0)])
    transcriber, _ = toy_whisper.transcriber(decoder)
    result = transcriber.predict(sound(45.0), language="en", condition=True)
    assert result.output == "onetwo"
    facts = toy_whisper.tokens
    at = decoder.prompts[1].index(facts["start_of_transcript"])
    assert decoder.prompts[1][:at] == [facts["start_of_previous"], *say(0.0, "one", 20.0)]


def test_a_text_from_a_high_temperature_is_not_fed(toy_whisper: ToyWhisper, say: Phrase) -> None:
    for temperature, fed in ((0.5, True), (0.6, False)):
        decoder = says([say(0.0, "one", 30.0), say(0.0, "two", 9.0)])
        transcriber, _ = toy_whisper.transcriber(decoder)
        transcriber.predict(sound(45.0), language="en", condition=True, temperatures=(temperature,))
        assert (decoder.prompts[1][0] == toy_whisper.tokens["start_of_previous"]) == fed


def test_without_condition_nothing_is_fed(toy_whisper: ToyWhisper, say: Phrase) -> None:
    decoder = says([say(0.0, "one", 30.0), say(0.0, "two", 9.0)])
    transcriber, _ = toy_whisper.transcriber(decoder)
    transcriber.predict(sound(45.0), language="en")
    assert decoder.prompts[1][0] == toy_whisper.tokens["start_of_transcript"]


def test_the_language_is_detected_once(toy_whisper: ToyWhisper, say: Phrase) -> None:
    decoder = says([say(0.0, "one", 30.0), say(0.0, "two", 9.0)])
    transcriber, _ = toy_whisper.transcriber(decoder)
    result = transcriber.predict(sound(45.0))
    facts = toy_whisper.tokens
    assert result.details["language"] == "en"
    assert 0.9 < result.details["language_probability"] <= 1
    sot = facts["start_of_transcript"]
    assert decoder.prompts == [[sot], *[[sot, facts["languages"]["en"], facts["transcribe"]]] * 2]
    assert transcriber.predict(sound(3.0), language="de").details["language_probability"] is None


# --- options ---------------------------------------------------------------------------------------------------------


def bad(transcriber: Any, **options: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        transcriber.predict(sound(1.0), **options)
    return caught.value


@pytest.fixture
def idle(toy_whisper: ToyWhisper) -> Any:
    return toy_whisper.transcriber(says([]))[0]


def test_an_unknown_option(idle: Any) -> None:
    error = bad(idle, langage="en")
    assert "langage" in error.message
    assert "language" in error.hint


@pytest.mark.parametrize("language", ["eng", "xx", "", "en-US"])
def test_an_unknown_language(idle: Any, language: str) -> None:
    error = bad(idle, language=language)
    assert repr(language) in error.message
    assert "Codes: de en haw yue zh." in error.hint
    assert ("Did you mean" in error.hint) == language.startswith("en")


def test_a_language_is_read_kindly(idle: Any) -> None:
    assert idle.predict(sound(1.0), language=" EN ").details["language"] == "en"


@pytest.mark.parametrize(
    "options",
    [
        {"task": "summarize"},
        {"language": 5},
        {"beams": 0},
        {"beams": 2.5},
        {"beams": "5"},
        {"beams": 65},
        {"best_of": 0},
        {"temperatures": ()},
        {"temperatures": (0.0, -0.2)},
        {"temperatures": ("hot",)},
        {"temperatures": (float("nan"),)},
        {"temperatures": 0.0},
        {"window": 0},
        {"window": -3.0},
        {"window": 31},
        {"window": float("nan")},
        {"window": "30"},
        {"prompt": 7},
    ],
)
def test_bad_options(idle: Any, options: dict[str, Any]) -> None:
    error = bad(idle, **options)
    assert next(iter(options)).rstrip("s") in error.message


def test_a_window_shorter_than_the_sound_cuts_nothing_off(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, sounds = toy_whisper.transcriber(says([say("x")]))
    transcriber.predict(sound(20.0), language="en", window=5.0)
    np.testing.assert_array_equal(sounds.windows[0][: 20 * RATE], sound(20.0))


@given(st.floats(0.1, 30.0))
def test_the_window_holds_the_sound(seconds: float) -> None:
    window = window_seconds(seconds, FACTS)
    assert min(seconds + 4, 30) <= window <= 30
    assert window >= 15
    assert window == int(window)


def test_progress(toy_whisper: ToyWhisper, say: Phrase) -> None:
    seen: list[tuple[float, float]] = []
    transcriber, _ = toy_whisper.transcriber(says([say(0.0, "one", 20.0, 20.0, "tw"), say(0.0, "two", 9.0)]))
    transcriber.predict(sound(45.0), language="en", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(20.0, 45.0), (45.0, 45.0)]


def test_two_hours_in_bounded_memory(toy_whisper: ToyWhisper, tmp_path: Path, say: Phrase) -> None:
    file = tmp_path / "long.wav"
    noise = (0.01 * np.random.default_rng(0).standard_normal(60 * RATE)).astype(np.float32)
    with soundfile.SoundFile(file, "w", RATE, 1, "PCM_16") as out:
        for minute in range(120):
            out.write(noise if minute % 4 == 0 else np.zeros_like(noise))
    transcriber, sounds = toy_whisper.transcriber(says([say(0.0, "hm", 30.0)] * 60))
    sounds.keep = False
    tracemalloc.start()
    try:
        result = transcriber.predict(file, language="en")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.units["audio_seconds"] == 7200
    assert len(result.details["windows"]) == 60
    assert result.output == "hm" * 60
    assert result.details["segments"][-1]["end"] == 116 * 60 + 60
    assert peak < 20_000_000


@pytest.mark.parametrize("word", ["no", "False", "OFF", False])
@pytest.mark.parametrize("name", ["timestamps", "words", "condition", "vad"])
def test_yes_and_no_are_typed_as_words(name: str, word: Any) -> None:
    assert getattr(options_of({name: word}, {}), name) is False
    assert getattr(options_of({name: "Yes"}, {}), name) is True


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"timestamps": "maybe"}, "timestamps is yes or no, not 'maybe'"),
        ({"words": 2}, "words is yes or no"),
        ({"beams": True}, "beams must be"),
        ({"logprob": "low"}, "logprob must be a number"),
        ({"no_speech": float("nan")}, "no_speech must be a number"),
    ],
)
def test_values_of_another_kind(options: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        options_of(options, {})


# --- the tokenizer ---------------------------------------------------------------------------------------------------


def test_the_facts_about_tokens(toy_whisper: ToyWhisper) -> None:
    facts = toy_whisper.tokens
    assert facts["languages"] == {"en": EOT + 2, "zh": EOT + 3, "de": EOT + 4, "haw": EOT + 5, "yue": EOT + 6}
    assert facts["first_timestamp"] + 1501 == VOCABULARY
    assert facts["suppress_at_begin"] == [*toy_whisper.ids(" "), EOT]
    control = range(facts["translate"], facts["no_speech"] + 1)
    assert {facts["start_of_transcript"], *control} <= set(facts["suppress"])
    assert not {*toy_whisper.ids("az09.,?!-' ")} & set(facts["suppress"])
    assert {*toy_whisper.ids("#(@[")} <= set(facts["suppress"])


def test_text_leaves_special_tokens_out(toy_whisper: ToyWhisper) -> None:
    tokens = Tokens(toy_whisper.folder / "tokenizer.json")
    assert tokens.text([EOT + 1, *tokens.encode(" über"), toy_whisper.stamp(3.0), EOT]) == " über"


@pytest.mark.parametrize("merges", [[], [["e", "a"]], ["e a"]])
def test_a_tokenizer_without_its_first_merge(tmp_path: Path, merges: list[Any]) -> None:
    """Converters took it for the heading of the list: the pinned tokenizer of whisper-base is one of those."""
    file = write_tokenizer(tmp_path / "tokenizer.json")
    document = json.loads(file.read_text())
    vocabulary = document["model"]["vocab"]
    vocabulary["Ġt"], vocabulary["ea"] = vocabulary.pop("þ"), vocabulary.pop("ÿ")
    document["model"]["merges"] = merges
    file.write_text(json.dumps(document))
    after = [vocabulary["ea"]] if merges else [vocabulary["e"], vocabulary["a"]]
    assert Tokens(file).encode(" tea") == [vocabulary["Ġt"], *after]


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"model": {"type": "BPE"}}', "\0"])
def test_a_damaged_tokenizer(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadInput, match=r"tokenizer"):
        Tokens(file)


def test_a_tokenizer_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(BadInput, match=r"tokenizer"):
        Tokens(tmp_path / "tokenizer.json")


def test_a_tokenizer_of_another_family(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not Whisper's"):
        Tokens(write_tokenizer(tmp_path / "tokenizer.json", ["<|endoftext|>"]))


def test_an_older_name_for_no_speech(tmp_path: Path) -> None:
    from helpers.toys.toy_whisper import SPECIAL

    names = [name.replace("nospeech", "nocaptions") for name in SPECIAL]
    assert Tokens(write_tokenizer(tmp_path / "tokenizer.json", names)).no_speech == EOT + names.index("<|nocaptions|>")


def test_a_data_folder_may_name_languages(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    entries = [{"audio": "a.wav", "text": "um", "language": language} for language in ("de", " DE ", "")]
    lines = [json.dumps(entry) for entry in (*entries, {"audio": "a.wav", "text": "um"})]
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    samples = samples_of(find("models", "whisper-base"), tmp_path)
    assert [sample.language for sample in samples] == ["de", "de", "", ""]
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "um", "language": 3}))
    with pytest.raises(BadInput, match="line 1: a language is a code"):
        samples_of(find("models", "whisper-base"), tmp_path)
