"""From sound to text: windows, segments, fallbacks and options over scripted parts; then the real weights."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from _toy_whisper import EOT, VOCABULARY, ScriptedDecoder, ToyWhisper, says, write_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.models._whisper_pipeline import _echoes, window_seconds
from edgekit.models._whisper_tokens import Tokens

RATE = 16_000
FACTS = {"least": 15.0, "margin": 4.0, "step": 1.0}


def sound(seconds: float) -> NDArray[np.float32]:
    """Samples that know where they are: 0.1, and in every second one more thousandth."""
    return (0.1 + np.arange(round(seconds * RATE)) // RATE / 1000).astype(np.float32)


def starts(windows: list[NDArray[np.float32]]) -> list[int]:
    """The second in which each window begins."""
    return [round((float(window[0]) - 0.1) * 1000) for window in windows]


class Phrase:
    """Answers of a decoder, written as times and words: `say(0, "one", 2.5)`."""

    def __init__(self, toy: ToyWhisper) -> None:
        self.toy = toy

    def __call__(self, *pieces: float | str) -> list[int]:
        out: list[int] = []
        for piece in pieces:
            out += self.toy.ids(piece) if isinstance(piece, str) else [self.toy.stamp(piece)]
        return out


@pytest.fixture
def say(toy_whisper: ToyWhisper) -> Phrase:
    return Phrase(toy_whisper)


# --- windows and segments --------------------------------------------------------------------------------------------


def test_a_short_clip(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, sounds = toy_whisper.transcriber(says([say("hello.")]))
    result = transcriber.predict(sound(3.0), language="en")
    assert result.output == "hello."
    assert sounds.seconds == [15.0]
    assert sounds.frames == [1500]
    np.testing.assert_array_equal(sounds.windows[0][: 3 * RATE], sound(3.0))
    assert not sounds.windows[0][3 * RATE :].any()
    assert result.details["segments"] == []
    assert result.details["windows"] == [15.0]
    assert result.details["fallbacks"] == []
    assert result.details["language"] == "en"
    assert result.units == {"audio_seconds": 3.0, "tokens": len(say("hello."))}
    assert result.marks["first_token"] > 0


def test_segments_of_a_short_clip(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, _ = toy_whisper.transcriber(says([say(0.0, "one", 1.0, 1.5, "two", 2.5)]))
    result = transcriber.predict(sound(3.0), language="en", timestamps=True)
    assert result.details["segments"] == [
        {"start": 0.0, "end": 1.0, "text": "one"},
        {"start": 1.5, "end": 2.5, "text": "two"},
    ]
    assert result.output == "onetwo"


def test_a_long_sound_moves_on_by_timestamps(toy_whisper: ToyWhisper, say: Phrase) -> None:
    answers = [
        say(0.0, "one", 10.0, 10.0, "two", 20.0, 20.0, "thr"),  # the last one is cut off: start again at 20 s
        say(0.0, "three", 12.0),  # nothing after 12 s: go on behind the window
        say(0.0, "four", 5.0, 5.0, "five", 9.0),
    ]
    transcriber, sounds = toy_whisper.transcriber(says(answers))
    result = transcriber.predict(sound(62.0), language="en")
    assert starts(sounds.windows) == [0, 20, 50]
    assert sounds.seconds == [30.0, 30.0, 16.0]
    assert result.output == "onetwothreefourfive"
    assert [(s["start"], s["end"]) for s in result.details["segments"]] == [
        (0, 10),
        (10, 20),
        (20, 32),
        (50, 55),
        (55, 59),
    ]
    assert result.units["audio_seconds"] == 62.0


def test_no_pair_of_timestamps(toy_whisper: ToyWhisper, say: Phrase) -> None:
    answers = [say(0.0, "all of it"), say(0.0, "more", 8.0)]
    transcriber, sounds = toy_whisper.transcriber(says(answers))
    result = transcriber.predict(sound(45.0), language="en")
    assert starts(sounds.windows) == [0, 30]
    assert [(s["start"], s["end"]) for s in result.details["segments"]] == [(0, 30), (30, 38)]


@pytest.mark.parametrize("stamp", [0.58, 1.14, 8.3, 16.1, 29.98])
def test_the_next_window_starts_at_the_exact_sample(toy_whisper: ToyWhisper, say: Phrase, stamp: float) -> None:
    ramp = (np.arange(40 * RATE) / (80 * RATE)).astype(np.float32) + np.float32(0.01)
    transcriber, sounds = toy_whisper.transcriber(says([say(0.0, "x", stamp, stamp, "y")]))
    transcriber.predict(ramp, language="en")
    assert sounds.windows[1][0] == ramp[round(stamp * 50) * 320]


def test_segments_lie_inside_the_sound(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """The window is padded, and the network may put an end into the padding."""
    answers = [say(0.0, "one", 2.0, 2.0, "two", 9.0)]
    transcriber, _ = toy_whisper.transcriber(says(answers))
    segments = transcriber.predict(sound(3.0), language="en", timestamps=True).details["segments"]
    assert [(s["start"], s["end"], s["text"]) for s in segments] == [(0, 2, "one"), (2, 3, "two")]


def test_silence_never_reaches_the_network(toy_whisper: ToyWhisper) -> None:
    decoder = says([])
    transcriber, sounds = toy_whisper.transcriber(decoder)
    for samples in (np.zeros(5 * RATE), np.full(70 * RATE, 1e-4)):
        result = transcriber.predict(samples.astype(np.float32))
        assert result.output == ""
        assert result.details["windows"] == []
        assert any("nothing to transcribe" in note for note in result.details["notes"])
        assert "first_token" not in result.marks
    assert (decoder.steps, sounds.windows) == (0, [])


def test_silence_before_speech_is_skipped(toy_whisper: ToyWhisper, say: Phrase) -> None:
    samples = sound(95.0)
    samples[: 60 * RATE] = 0
    transcriber, sounds = toy_whisper.transcriber(says([say(0.0, "late", 9.0), say(0.0, "x", 2.0)]))
    result = transcriber.predict(samples, language="en")
    assert starts(sounds.windows) == [60, 90]
    assert result.details["segments"][0] == {"start": 60.0, "end": 69.0, "text": "late"}
    assert result.details["notes"] == []


def test_a_rest_too_short_for_a_word_is_left(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, sounds = toy_whisper.transcriber(says([say(0.0, "x", 30.0)]))
    result = transcriber.predict(sound(30.05), language="en")
    assert len(sounds.windows) == 1
    assert result.units["audio_seconds"] == 30.05


@pytest.mark.parametrize("seconds", [1 / RATE, 0.05, 0.0999])
def test_too_short(toy_whisper: ToyWhisper, seconds: float) -> None:
    transcriber, _ = toy_whisper.transcriber(says([]))
    with pytest.raises(BadInput, match="too short"):
        transcriber.predict(sound(seconds))


def test_exactly_thirty_seconds_need_no_timestamps(toy_whisper: ToyWhisper, say: Phrase) -> None:
    decoder = says([say("x")])
    transcriber, sounds = toy_whisper.transcriber(decoder)
    transcriber.predict(sound(30.0), language="en")
    assert sounds.seconds == [30.0]
    assert decoder.prompts[0][-1] == toy_whisper.tokens["no_timestamps"]


@pytest.mark.parametrize("certain", [True, False])
def test_the_no_speech_rule(toy_whisper: ToyWhisper, say: Phrase, certain: bool) -> None:
    """Likely silence is believed only where the text is improbable, and is no reason for a fallback then."""
    decoder = says([say("you")], weight=30.0 if certain else 6.0, no_speech=0.9)
    transcriber, _ = toy_whisper.transcriber(decoder)
    result = transcriber.predict(sound(3.0), language="en", window=30.0)
    assert result.output == ("you" if certain else "")
    assert result.details["fallbacks"] == []


def test_silence_in_the_middle_moves_on(toy_whisper: ToyWhisper, say: Phrase) -> None:
    quiet = says([say(0.0, "ghost", 5.0)], no_speech=0.95, weight=9.0)
    transcriber, sounds = toy_whisper.transcriber(quiet)
    result = transcriber.predict(sound(40.0), language="en", logprob=-0.01)
    assert starts(sounds.windows) == [0, 30]
    assert result.output == ""
    assert result.details["segments"] == []


# --- fallbacks -------------------------------------------------------------------------------------------------------


def looping(toy: ToyWhisper) -> ScriptedDecoder:
    """Says the same for ever."""

    def script(fed: list[int]) -> NDArray[np.float32]:
        logits = np.zeros(VOCABULARY, np.float32)
        logits[65] = 30.0
        return logits

    return ScriptedDecoder(script)


def test_the_window_grows_before_the_temperature_rises(toy_whisper: ToyWhisper) -> None:
    transcriber, sounds = toy_whisper.transcriber(looping(toy_whisper))
    result = transcriber.predict(sound(3.0), language="en", temperatures=(0.0, 0.3, 0.7))
    assert result.details["windows"] == [15.0, 30.0]
    assert sounds.seconds == [15.0, 30.0]
    assert result.details["fallbacks"] == [
        "repetitive: encoded again at 30 s",
        "repetitive: sampled again at temperature 0.3",
        "repetitive: sampled again at temperature 0.7",
    ]


def test_a_window_that_was_asked_for_does_not_grow(toy_whisper: ToyWhisper) -> None:
    transcriber, _ = toy_whisper.transcriber(looping(toy_whisper))
    result = transcriber.predict(sound(3.0), language="en", temperatures=(0.0,), window=20.0)
    assert result.details["windows"] == [20.0]
    assert result.details["fallbacks"] == []


def test_a_good_second_try_ends_the_fallbacks(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, _ = toy_whisper.transcriber(says([say("ab" * 30), say("fine")]))
    result = transcriber.predict(sound(3.0), language="en")
    assert result.output == "fine"
    assert result.details["fallbacks"] == ["repetitive: encoded again at 30 s"]


def test_an_improbable_text_is_sampled_again(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, _ = toy_whisper.transcriber(says([say("xy")], weight=6.0))
    result = transcriber.predict(sound(3.0), language="en", window=30.0, temperatures=(0.0, 0.1))
    assert result.details["fallbacks"] == ["improbable: sampled again at temperature 0.1"]
    certain, _ = toy_whisper.transcriber(says([say("xy")], weight=6.0))
    fine = certain.predict(sound(3.0), language="en", window=30.0, logprob=-2.0)
    assert fine.details["fallbacks"] == []


def test_an_echo_only_grows_the_window(toy_whisper: ToyWhisper, say: Phrase) -> None:
    transcriber, _ = toy_whisper.transcriber(says([say("well so long so long")] * 2))
    result = transcriber.predict(sound(3.0), language="en")
    assert result.output == "well so long so long"
    assert result.details["fallbacks"] == ["ends with an echo: encoded again at 30 s"]


@pytest.mark.parametrize(
    ("tokens", "echo"),
    [
        ([], False),
        ([1, 2, 3], False),
        ([1, 2, 1, 2], False),
        ([1, 2, 3, 1, 2, 3], True),
        ([9, 9, 1, 2, 3, 4, 1, 2, 3, 4], True),
        ([1, 2, 3, 1, 2, 3, 4], False),
        ([7] * 5, False),
        ([7] * 6, True),
    ],
)
def test_echoes(tokens: list[int], echo: bool) -> None:
    assert bool(_echoes(tokens)) == echo


def test_beams_are_used_in_every_window(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """Also in the one that is encoded again: more than one hypothesis reaches the decoder."""
    widths: list[int] = []
    decoder = says([say("ab" * 30), say("fine")])

    class Watched(ScriptedDecoder):
        def __call__(self, feeds: Any) -> Any:
            widths.append(feeds["tokens"].shape[0] if feeds["past_key_0"].shape[2] else 0)
            return super().__call__(feeds)

    transcriber, _ = toy_whisper.transcriber(Watched(decoder.script))
    result = transcriber.predict(sound(3.0), language="en", beams=3)
    assert result.output == "fine"
    assert result.details["windows"] == [15.0, 30.0]
    second = widths[len(widths) - widths[::-1].index(0) :]
    assert second
    assert all(width == 3 for width in second)


def test_a_first_temperature_above_zero_samples(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """As in the original, beams are for temperature 0 only."""
    widths: set[int] = set()

    class Watched(ScriptedDecoder):
        def __call__(self, feeds: Any) -> Any:
            widths.add(feeds["tokens"].shape[0])
            return super().__call__(feeds)

    transcriber, _ = toy_whisper.transcriber(Watched(says([say("fine")]).script))
    result = transcriber.predict(sound(3.0), language="en", temperatures=(0.2,), best_of=4, beams=3)
    assert result.output == "fine"
    assert widths == {1, 4}


def test_the_length_is_limited(toy_whisper: ToyWhisper) -> None:
    """At most 15 tokens a second and half the context: a loop of three seconds costs 85 steps, not 224."""
    for seconds, most in ((3.0, 85), (29.0, 224)):
        decoder = looping(toy_whisper)
        transcriber, _ = toy_whisper.transcriber(decoder)
        transcriber.predict(sound(seconds), language="en", temperatures=(0.0,), window=30.0)
        assert decoder.longest == 4 + most


def test_prompt_and_text_fit_the_context(toy_whisper: ToyWhisper) -> None:
    """A long prompt and a text without end: 448 positions are all there are, and the module has no more."""
    decoder = looping(toy_whisper)
    transcriber, _ = toy_whisper.transcriber(decoder)
    prompt = "a long story " * 60
    result = transcriber.predict(sound(29.0), language="en", temperatures=(0.0,), window=30.0, prompt=prompt)
    assert len(decoder.prompts[0]) == 1 + 223 + 4
    assert decoder.longest <= 448
    assert result.units["tokens"] >= 219


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
    from _toy_whisper import SPECIAL

    names = [name.replace("nospeech", "nocaptions") for name in SPECIAL]
    assert Tokens(write_tokenizer(tmp_path / "tokenizer.json", names)).no_speech == EOT + names.index("<|nocaptions|>")


# --- real weights ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def fp32(fp32_bundle: Any) -> Any:
    import edgekit

    return edgekit.load(fp32_bundle.path, threads=2)


@pytest.fixture(scope="session")
def int8(int8_bundle: Any) -> Any:
    import edgekit

    return edgekit.load(int8_bundle.path, threads=2)


@pytest.fixture(scope="session")
def generate(fp32_bundle: Any, real_state: Any) -> Callable[[Path], str]:
    """transformers' Whisper with the published weights: greedy, English, no timestamps."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    facts = fp32_bundle.manifest.facts["tokens"]
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            d_model=512,
            encoder_layers=6,
            decoder_layers=6,
            encoder_attention_heads=8,
            decoder_attention_heads=8,
            encoder_ffn_dim=2048,
            decoder_ffn_dim=2048,
        )
    )
    state = {
        f"model.{name}": torch.from_numpy(np.asarray(tensor, np.float32))
        for name, tensor in real_state.items()
        if not name.endswith("k_proj.bias")
    }
    model.load_state_dict({**state, "proj_out.weight": state["model.decoder.embed_tokens.weight"]})
    model.generation_config = GenerationConfig(
        suppress_tokens=facts["suppress"],
        begin_suppress_tokens=facts["suppress_at_begin"],
        lang_to_id={f"<|{code}|>": token for code, token in facts["languages"].items()},
        task_to_id={"transcribe": facts["transcribe"], "translate": facts["translate"]},
        no_timestamps_token_id=facts["no_timestamps"],
        is_multilingual=True,
        decoder_start_token_id=facts["start_of_transcript"],
        bos_token_id=facts["end_of_text"],
        eos_token_id=facts["end_of_text"],
        pad_token_id=facts["end_of_text"],
        max_length=448,
        return_timestamps=False,
        num_beams=1,
        do_sample=False,
    )
    model.eval()
    features, tokens = WhisperFeatureExtractor(feature_size=80), Tokens(fp32_bundle.path / "tokenizer.json")

    def text(path: Path) -> str:
        mel = features(read(path), sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(mel["input_features"], language="en", task="transcribe")
        return tokens.text(ids[0].tolist()).strip()

    return text


def read(path: Path) -> NDArray[np.float32]:
    """A clip at 16 kHz in mono, all at once, without our reader."""
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    out: NDArray[np.float32] = soxr.resample(samples.mean(axis=1), rate, RATE)
    return out


def words(text: str) -> list[str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    out: list[str] = EnglishTextNormalizer()(text).split()
    return out


def error_rate(truths: list[str], texts: list[str]) -> float:
    """Words wrong in all, over words in all, by our own edit distance (jiwer is what the product uses)."""
    wrong = total = 0
    for truth, text in zip(truths, texts, strict=True):
        said, heard = words(truth), words(text)
        row = list(range(len(heard) + 1))
        for i, a in enumerate(said, 1):
            last, row[0] = row[0], i
            for j, b in enumerate(heard, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
        wrong, total = wrong + row[-1], total + len(said)
    return wrong / total


@pytest.mark.real
def test_fp32_says_what_transformers_says(
    fp32: Any, generate: Callable[[Path], str], speech: list[tuple[Path, str]], other_speech: list[Path]
) -> None:
    files = [path for path, _ in speech] + other_speech
    assert len(files) >= 17
    for path in files:
        ours = fp32.predict(path, language="en", temperatures=(0.0,), window=30.0)
        assert ours.details["windows"] == [30.0], path.name
        assert ours.output == generate(path), path.name


@pytest.mark.real
def test_int8_on_read_speech(int8: Any, speech: list[tuple[Path, str]]) -> None:
    results = [int8.predict(path) for path, _ in speech]
    assert {result.details["language"] for result in results} == {"en"}
    assert error_rate([text for _, text in speech], [result.output for result in results]) <= 0.03
    assert all(result.units["tokens"] > 5 for result in results)


@pytest.mark.real
def test_int8_is_close_to_fp32(int8: Any, fp32: Any, other_speech: list[Path]) -> None:
    texts = [[model.predict(path, language="en").output for path in other_speech] for model in (fp32, int8)]
    assert error_rate(*texts) <= 0.05


@pytest.mark.real
def test_the_language_of_english_clips(int8: Any, other_speech: list[Path]) -> None:
    for path in other_speech:
        details = int8.predict(path).details
        assert details["language"] == "en", path.name
        assert details["language_probability"] > 0.5


def check_segments(segments: list[dict[str, Any]], seconds: float) -> None:
    assert segments
    assert segments[0]["start"] >= 0
    for segment in segments:
        assert segment["start"] < segment["end"]
        assert segment["text"].strip()
    for before, after in itertools.pairwise(segments):
        assert before["end"] <= after["start"]
    assert segments[-1]["end"] <= seconds + 0.01


@pytest.mark.real
@pytest.mark.parametrize("beams", [1, 5])
def test_timestamps(int8: Any, speech: list[tuple[Path, str]], beams: int) -> None:
    texts = []
    for path, _ in speech:
        result = int8.predict(path, language="en", timestamps=True, beams=beams)
        check_segments(result.details["segments"], soundfile.info(path).duration)
        assert " ".join(segment["text"] for segment in result.details["segments"]) == result.output
        texts.append(result.output)
    assert error_rate([text for _, text in speech], texts) <= 0.05


@pytest.mark.real
def test_a_recording_longer_than_a_window(int8: Any, speech: list[tuple[Path, str]], other_speech: list[Path]) -> None:
    """Clips joined with half a second between them are heard as each alone."""
    clips, truths, length = [], [], 0
    for path in [*(path for path, _ in speech), *other_speech]:
        if length > 65 * RATE:
            break
        samples = read(path)
        clips += [samples, np.zeros(RATE // 2, np.float32)]
        truths.append(int8.predict(path, language="en").output)
        length += len(samples) + RATE // 2
    result = int8.predict(np.concatenate(clips), language="en")
    assert result.units["audio_seconds"] == pytest.approx(length / RATE)
    assert len(result.details["windows"]) >= 3
    check_segments(result.details["segments"], length / RATE)
    assert error_rate([" ".join(truths)], [result.output]) <= 0.05


@pytest.mark.real
def test_the_same_again(int8: Any, speech: list[tuple[Path, str]]) -> None:
    path = speech[0][0]
    first, again = (int8.predict(path, temperatures=(0.8,)) for _ in range(2))
    assert (first.output, first.details, first.units) == (again.output, again.details, again.units)


@pytest.mark.real
def test_noise_and_silence_say_nothing(int8: Any) -> None:
    noise = (0.002 * np.random.default_rng(0).standard_normal(5 * RATE)).astype(np.float32)
    assert len(int8.predict(noise, language="en").output) < 20
    assert int8.predict(np.zeros(5 * RATE, np.float32)).output == ""


@pytest.mark.real
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_estimates_of_size_and_memory(request: pytest.FixtureRequest, shared_data: Path, precision: str) -> None:
    """`fit` promises these before a download: the size within 3 %, and never less memory than a clip of 25 s takes."""
    import subprocess
    import sys

    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc, which only Linux has")
    from edgekit.core import Recipe
    from edgekit.registry import find

    bundle = request.getfixturevalue(f"{precision}_bundle")
    model, recipe = find("models", "whisper-base"), Recipe("onnx", precision)
    size = sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    assert model.size(recipe) == pytest.approx(size, rel=0.03)
    code = (
        "import sys, pathlib, numpy as np, soundfile, edgekit; "
        "clips = [soundfile.read(p, dtype='float32')[0] for p in sys.argv[2:]]; "
        "sound = np.concatenate(clips)[:25 * 16000]; "
        "assert len(sound) == 25 * 16000; "
        "assert edgekit.load(sys.argv[1], threads=2).predict(sound, language='en').output; "
        # ru_maxrss would count this test's own process, of which the new one was a copy for a moment.
        "status = pathlib.Path('/proc/self/status'); "
        "print(int(status.read_text().split('VmHWM:')[1].split()[0]) * 1024)"
    )
    files = sorted((shared_data / "librispeech-test-other").rglob("*.flac"))[:8]
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle.path), *map(str, files)], check=True, capture_output=True, timeout=300
    )
    peak = int(done.stdout)
    estimate = model.memory(recipe)
    assert peak <= estimate <= 2 * peak, f"peak {peak / 1e6:.0f} MB, estimate {estimate / 1e6:.0f} MB"
