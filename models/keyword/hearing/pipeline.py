"""Keyword spotters from sound to events: an ear that gives scores, and a judge that hears words in them.

A whole sound (`predict`) and a sound in pieces (`stream`) go through the same two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.models.keyword.hearing import rules
from edgekit.models.keyword.hearing.ears import Ear, ear, shares
from edgekit.models.keyword.shapes import KeywordRules, MfccSettings
from edgekit.numerics.alarms import NOTHING
from edgekit.tasks.audio_classification.curves import curve
from edgekit.tasks.common.audio import open_audio

#: Longer than any file that this is meant for, and 200 MB of samples.
_MOST_SECONDS = 3600


class Heard(str):
    """An answer, with the track that it came from: `Prediction.score` of keyword spotters.

    Attributes:
        scores: uint8 [looks, words]. seconds: of sound. mean: the rules that it was judged by.
    """

    scores: NDArray[np.uint8]
    seconds: float
    mean: rules.Mean

    def __new__(cls, text: str, scores: NDArray[np.uint8], seconds: float, mean: rules.Mean) -> Heard:
        heard = super().__new__(cls, text)
        heard.scores, heard.seconds, heard.mean = scores, seconds, mean
        return heard

    def __deepcopy__(self, memo: Any) -> Heard:
        return self  # a text does not change, and neither does its track

    def totals(self) -> NDArray[np.int64]:
        """Sums that are compared with the limit, [looks or fewer, words]."""
        return rules.sums(self.scores, self.mean)

    def places(self, limit: int) -> list[int]:
        """Rows of `totals` that would be events with another limit."""
        return rules.hits(self.totals(), limit, self.mean.refractory)

    def hits(self, limit: int) -> int:
        """Events that there would be with another limit."""
        return len(self.places(limit))

    def strongest(self, count: int) -> list[int]:
        """Sums of the `count` strongest events, falling; fewer where there are fewer.

        As many of them are above a limit as `hits` counts with it: `places` takes the first that it can, so no other
        choice of places that far apart has more, and with a higher limit there are never more of them.
        """
        sums: list[int] = []
        top = rules.STEPS * self.mean.smoothed
        while len(sums) < count:
            # The lowest limit at which there are no more than these.
            top = bisect_left(range(top + 1), True, key=lambda limit: self.hits(limit) <= len(sums))
            if not top:
                break
            sums.append(top)
        return sums


class Detector:
    """Events in a sound that comes in pieces.

    One at a time for what `load` returned: streaming networks hold their state inside, and `predict` begins anew too.
    """

    def __init__(self, hearing: Ear, judge: rules.Judge, words: int) -> None:
        self._ear, self._judge, self._words = hearing, judge, words
        self.reset()

    def reset(self) -> None:
        """Forget all sound so far; times count from here."""
        self._ear.reset()
        self._judge.reset()

    def feed(self, chunk: NDArray[Any]) -> list[rules.Event]:
        """Take the next samples of 16 kHz sound.

        Args:
            chunk: int16 [n], or float [n] in [-1, 1]; any n, such as 160 (10 ms).

        Returns:
            The events that they complete, mostly none.

        Raises:
            BadInput: another shape or dtype, or values that are not numbers.
        """
        looks = self._ear.push(_whole(chunk), _silent)
        return [event for look in looks if (event := self._judge.push(look[: self._words])) is not None]


def _whole(chunk: NDArray[Any]) -> NDArray[np.int16]:
    if not isinstance(chunk, np.ndarray) or chunk.ndim != 1 or not (chunk.dtype == np.int16 or chunk.dtype.kind == "f"):
        kind = f"{chunk.dtype} {list(chunk.shape)}" if isinstance(chunk, np.ndarray) else type(chunk).__name__
        raise BadInput(f"a chunk of sound is int16 [n] or float [n] in [-1, 1] at 16 kHz, not {kind}.")
    if chunk.dtype == np.int16:
        return chunk
    if not np.isfinite(chunk).all():
        raise BadInput("the chunk holds values that are not numbers (NaN or infinite).")
    return np.clip(np.round(chunk * 32768.0), -32768, 32767).astype(np.int16)


def samples_of(sample: Any, rate: int) -> tuple[NDArray[np.int16], list[str]]:
    """A sound as int16 [samples] at `rate`, and notes about what was done to it.

    Raises:
        BadInput: see `open_audio`; also sounds of more than an hour.
    """
    audio = open_audio(sample, rate)
    if audio.seconds > _MOST_SECONDS:
        raise BadInput(f"the sound lasts {audio.seconds:.0f} s; at most {_MOST_SECONDS} s can be looked at in one go.")
    return _whole(audio.window(0, _MOST_SECONDS * rate)), list(audio.notes)


def _silent(done: float, total: float) -> None:
    pass


def _progress(options: Mapping[str, Any]) -> Callable[[float, float], None]:
    """What a program gives; there are no options. Nothing for None."""
    check_names(options, ())
    return options.get("progress") or _silent


class _Spotter(Predictor):
    def __init__(self, hearing: Ear, mean: rules.Mean) -> None:
        self._mean, self._ear = mean, hearing
        self._rate, self._words = self._mean.rate, len(self._mean.labels)

    def stream(self, **options: Any) -> Detector:
        """A detector for sound that comes in pieces. See docs/wakewords.md. Raises BadInput for any option."""
        _progress(options)
        return Detector(self._ear, rules.Judge(self._mean), self._words)

    def _detect_events(self, looks: NDArray[np.uint8]) -> list[rules.Event]:
        judge = rules.Judge(self._mean)
        return [event for look in looks if (event := judge.push(look[: self._words])) is not None]

    def _looks(self, audio: NDArray[np.int16], progress: Callable[[float, float], None]) -> NDArray[np.uint8]:
        self._ear.reset()
        looks = self._ear.score_whole_sound(audio, progress)
        return np.stack(looks) if looks else np.zeros((0, self._words), np.uint8)


class KeywordSpotter(_Spotter):
    """Words in the last second, looked at every few frames."""

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        super().__init__(ear(parts, facts), rules.judge(facts))
        self._network = parts["network"]
        self._labels = fact_of(facts, "labels", list[str])
        self._rules, self._settings = fact_of(facts, "rules", KeywordRules), fact_of(facts, "frontend", MfccSettings)
        self._float = parts["frontend"].inputs[0].dtype == "float32"

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Spot words in `sample`: a sound (see `open_audio`; less than a second is padded with silence), or a ``.bin``
        file of int8 features [frames, features] as MLPerf Tiny distributes them.

        Returns:
            A Prediction: the label of the look with the highest score of a word; details score (0..1) and scores of
            that look, events (word, time in seconds, score), looks, curve (highest scores over time), notes; units
            audio_seconds; score a `Heard`.

        Raises:
            BadInput: neither a sound nor features; an option other than ``progress``.
        """
        progress, notes = _progress(options), list[str]()
        if isinstance(sample, (str, Path)) and Path(sample).suffix == ".bin":
            looks = self._shares(self._read(Path(sample)))[None]
            seconds = self._mean.first / self._rate
        else:
            audio, notes = samples_of(sample, self._rate)
            seconds = len(audio) / self._rate
            looks = self._looks(np.pad(audio, (0, max(0, self._rate - len(audio)))), progress)
        best = max(looks, key=lambda scores: int(scores[: self._words].max()))
        label = int(best.argmax())
        details = {
            "label": self._labels[label],
            "score": int(best[label]) / rules.STEPS,
            "scores": [int(score) / rules.STEPS for score in best],
            "events": self._detect_events(looks),
            "looks": len(looks),
            "curve": curve(looks[:, : self._words] / rules.STEPS),
            "notes": notes,
        }
        heard = Heard(self._labels[label], looks[:, : self._words], seconds, self._mean)
        return Prediction(self._labels[label], details, {"audio_seconds": seconds}, score=heard)

    def _read(self, path: Path) -> NDArray[np.int8]:
        shape = (self._rules.frames, self._settings.features)
        try:
            size = path.stat().st_size
            content = path.read_bytes() if size == shape[0] * shape[1] else b""
        except OSError as exc:
            raise BadInput(f"{str(path)!r} cannot be read: {exc.strerror or exc}.") from exc
        if not content:
            raise BadInput(f"{path.name} has {size} bytes; features of this model have {shape[0]} x {shape[1]}.")
        return np.frombuffer(content, np.int8).reshape(shape)

    def _shares(self, features: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Scores of int8 features, [frames, features]."""
        window: NDArray[Any] = features[None, :, :, None]
        if self._float:
            window = (window.astype(np.float32) - self._settings.zero_point) * np.float32(self._settings.scale)
        return shares(self._network, window)


class PhraseSpotter(_Spotter):
    """One phrase."""

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Find the phrase in `sample`, a sound (see `open_audio`).

        Returns:
            A Prediction: such as ``"okay-nabu at 1.23 s"``, several with commas, or ``"nothing"``; details events
            (word, time in seconds, score), highest (the highest mean, 0..1), calls (of the network), curve (highest
            scores over time), notes; units audio_seconds; score a `Heard`.

        Raises:
            BadInput: not a sound; an option other than ``progress``.
        """
        progress = _progress(options)
        audio, notes = samples_of(sample, self._rate)
        looks = self._looks(audio, progress)
        events = self._detect_events(looks)
        text = ", ".join(f"{event['word']} at {event['time']:.2f} s" for event in events) or NOTHING
        totals = rules.sums(looks, self._mean)
        details = {
            "events": events,
            "highest": int(totals.max(initial=0)) / self._mean.smoothed / rules.STEPS,
            "calls": len(looks),
            "curve": curve(looks / rules.STEPS),
            "notes": notes,
        }
        seconds = len(audio) / self._rate
        heard = Heard(self._mean.labels[0] if events else NOTHING, looks, seconds, self._mean)
        return Prediction(text, details, {"audio_seconds": seconds}, score=heard)


class WakewordSpotter(PhraseSpotter):
    """One phrase, as microWakeWord's streaming networks find it."""

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        super().__init__(ear(parts, facts), rules.judge(facts))
