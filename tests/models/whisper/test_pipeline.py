"""The transcriber of Whisper: windows, segments, fallbacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.cases.whisper_cases import RATE, Phrase, sound, starts
from helpers.toys.toy_whisper import HARDLY, VOCABULARY, ScriptedDecoder, ToyWhisper, says
from numpy.typing import NDArray

from edgekit.errors import BadInput
from edgekit.models.whisper.family import WINDOW_FACTS
from edgekit.models.whisper.loop.recognition import echoes, window_seconds
from edgekit.registry import find

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


def test_an_answer_is_compared_position_by_position_without_another_run_of_the_encoder(
    toy_whisper: ToyWhisper, say: Phrase
) -> None:
    transcriber, sounds = toy_whisper.transcriber(says([say("hello."), say("hello."), say("hello.")]))
    answer = transcriber.predict(sound(3.0)).output
    rows = transcriber.next_tokens(sound(3.0), answer)
    assert rows is not None and len(rows) > 1 and len(sounds.windows) == 1
    transcriber.next_tokens(sound(4.0), answer)
    assert len(sounds.windows) == 2


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


def test_axes_name_every_window_that_is_chosen() -> None:
    """What is exported for these sizes only must never be given another one."""
    frontend, encoder, *_ = find("models", "whisper-base").network.parts
    windows = sorted({window_seconds(seconds, WINDOW_FACTS) for seconds in np.arange(0.0, 30.0, 0.1)})
    assert [size / RATE for size in frontend.axes["samples"].sizes] == windows
    assert [size / 100 for size in encoder.axes["frames"].sizes] == windows


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


def test_a_hardly_probable_text_is_read_again_with_the_whole_window(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """What is good enough of 30 s need not be of a window that was cut."""
    transcriber, _ = toy_whisper.transcriber(says([say("xy"), say("ok")], weight=HARDLY))
    result = transcriber.predict(sound(3.0), language="en", temperatures=(0.0,))
    assert (result.output, result.details["windows"]) == ("ok", [15.0, 30.0])
    assert result.details["fallbacks"] == ["hardly probable: encoded again at 30 s"]
    whole, _ = toy_whisper.transcriber(says([say("xy"), say("ok")], weight=HARDLY))
    assert whole.predict(sound(3.0), language="en", window=15.0).output == "xy"


def test_a_hardly_probable_text_with_times_is_kept(toy_whisper: ToyWhisper, say: Phrase) -> None:
    """It may be the one that has the words which another lacks. Here its mean log probability is -0.5 to -0.4."""
    transcriber, _ = toy_whisper.transcriber(says([say(0.0, "xy", 3.0), say(0.0, "ok", 3.0)], weight=6.7))
    options: dict[str, Any] = {"language": "en", "temperatures": (0.0,), "timestamps": True}
    result = transcriber.predict(sound(3.0), logprob=-0.5, **options)
    assert (result.output, result.details["fallbacks"]) == ("xy", [])
    again, _ = toy_whisper.transcriber(says([say(0.0, "xy", 3.0), say(0.0, "ok", 3.0)], weight=6.7))
    assert "improbable" in again.predict(sound(3.0), logprob=-0.4, **options).details["fallbacks"][0]


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
    assert bool(echoes(tokens)) == echo


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
        assert decoder.longest == 4 + most - 1  # after the last token nothing is asked


def test_prompt_and_text_fit_the_context(toy_whisper: ToyWhisper) -> None:
    """A long prompt and a text without end: 448 positions are all there are, and the module has no more."""
    decoder = looping(toy_whisper)
    transcriber, _ = toy_whisper.transcriber(decoder)
    prompt = "a long story " * 60
    result = transcriber.predict(sound(29.0), language="en", temperatures=(0.0,), window=30.0, prompt=prompt)
    assert len(decoder.prompts[0]) == 1 + 223 + 4
    assert decoder.longest <= 448
    assert result.units["tokens"] >= 219
