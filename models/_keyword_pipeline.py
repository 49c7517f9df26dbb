"""Keyword spotters from sound to events: frames from the frontend, looks of the network, means of scores, a threshold.

The arithmetic from scores to events is in whole numbers and is the C detector's (exporters/frontends/), so that host
and chip decide alike. Sounds are held whole: this is for tests and evaluation; the stream is the chip's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Prediction, Runner
from edgekit.errors import BadInput
from edgekit.models._audio import open_audio
from edgekit.models._keyword_shape import KeywordRules, MfccSettings, MicroSettings, WakewordRules
from edgekit.models._mfcc import levelled
from edgekit.parity import reset

__all__ = ["KeywordSpotter", "WakewordSpotter", "samples_of"]

Progress = Callable[[float, float], None]
#: Longer than any file that this is meant for, and 200 MB of samples.
_MOST_SECONDS = 3600


def samples_of(sample: Any, rate: int) -> tuple[NDArray[np.int16], list[str]]:
    """A sound as int16 [samples] at `rate`, and notes about what was done to it.

    Raises:
        BadInput: see `open_audio`; also sounds of more than an hour.
    """
    audio = open_audio(sample, rate)
    if audio.seconds > _MOST_SECONDS:
        raise BadInput(f"the sound lasts {audio.seconds:.0f} s; at most {_MOST_SECONDS} s can be looked at in one go.")
    samples = audio.window(0, _MOST_SECONDS * rate)
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16), list(audio.notes)


def _progress(options: Mapping[str, Any]) -> Progress:
    """The only option that there is, and nothing for None."""
    for name in sorted(set(options) - {"progress"}):
        raise BadInput(f"there is no option {name!r}.", hint="There is: progress.")
    return options.get("progress") or (lambda done, total: None)


class KeywordSpotter:
    """Words in the last second, looked at every few frames."""

    def __init__(self, parts: Mapping[str, Runner], facts: Mapping[str, Any]) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._labels: Sequence[str] = facts["labels"]
        self._rules = KeywordRules(**facts["rules"])
        self._settings = MfccSettings(**facts["frontend"])

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Spot words in `sample`: a sound (see `open_audio`; less than a second is padded with silence), or a ``.bin``
        file of int8 features [frames, features] as MLPerf Tiny distributes them.

        Returns:
            A Prediction: the label of the look with the highest score of a word; details score (0..1) and scores of
            that look, events (word, time in seconds, score), looks, notes; units audio_seconds.

        Raises:
            BadInput: neither a sound nor features; an option other than ``progress``.
        """
        progress, notes = _progress(options), list[str]()
        if isinstance(sample, (str, Path)) and Path(sample).suffix == ".bin":
            features = self._read(Path(sample))
            looks = [self._scores(features)]
            seconds = self._time(len(features) - 1)
        else:
            audio, notes = samples_of(sample, self._settings.rate)
            seconds = len(audio) / self._settings.rate
            audio = np.pad(audio, (0, max(0, self._settings.rate - len(audio))))
            looks = self._looks(audio, progress)
        best = max(looks, key=lambda scores: int(scores[: self._rules.words].max()))
        label = int(best.argmax())
        details = {
            "label": self._labels[label],
            "score": int(best[label]) / 256,
            "scores": [int(score) / 256 for score in best],
            "events": self.events(looks),
            "looks": len(looks),
            "notes": notes,
        }
        return Prediction(self._labels[label], details, {"audio_seconds": seconds})

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

    def _time(self, frame: int) -> float:
        """When a frame is complete, in seconds."""
        return (self._settings.window + frame * self._settings.step) / self._settings.rate

    def _scores(self, features: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Features of one look, [frames, features] -> scores 0..255 by class."""
        output = self._network({"window": features[None, :, :, None]})["scores"][0]
        scores: NDArray[np.uint8] = (output.astype(np.int16) + 128).astype(np.uint8)
        return scores

    def _looks(self, audio: NDArray[np.int16], progress: Progress) -> list[NDArray[np.uint8]]:
        features = self._frontend({"audio": audio})["features"]
        peaks = self._peaks(audio, len(features))
        frames, hop = self._rules.frames, self._rules.hop
        looks = []
        for start in range(0, len(features) - frames + 1, hop):
            peak = int(peaks[start : start + frames].max())
            looks.append(self._scores(levelled(features[start : start + frames], peak, self._settings)))
            progress(start + frames, len(features))
        return looks

    def _peaks(self, audio: NDArray[np.int16], frames: int) -> NDArray[np.int16]:
        """The largest of the samples that each frame adds to those before it."""
        window, step = self._settings.window, self._settings.step
        ends = [0, *(window + i * step for i in range(frames))]
        return np.maximum.reduceat(audio[: ends[-1]], ends[:-1])

    def events(self, looks: Sequence[NDArray[np.uint8]]) -> list[dict[str, Any]]:
        """From the scores of successive looks to words: smoothed, above the threshold, and not right after another."""
        rules, held, quiet = self._rules, np.zeros((self._rules.smoothed, len(self._labels)), np.int64), 0
        events = []
        for i, scores in enumerate(looks):
            held[i % rules.smoothed] = scores
            sums = held[:, : rules.words].sum(axis=0)
            best = int(sums.argmax())
            if quiet > 0:
                quiet -= 1
            elif sums[best] > rules.threshold * rules.smoothed:
                quiet = rules.refractory
                time = self._time(rules.frames - 1 + i * rules.hop)
                score = int(sums[best]) / rules.smoothed / 256
                events.append({"word": self._labels[best], "time": round(time, 3), "score": round(score, 3)})
        return events


class WakewordSpotter:
    """One phrase, as microWakeWord's streaming networks find it."""

    def __init__(self, parts: Mapping[str, Runner], facts: Mapping[str, Any]) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._label: str = facts["labels"][0]
        self._rules = WakewordRules(**facts["rules"])
        self._settings = MicroSettings(**facts["frontend"])

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Find the phrase in `sample`, a sound (see `open_audio`).

        Returns:
            A Prediction: such as ``"okay-nabu at 1.23 s"``, several with commas, or ``"nothing"``; details events
            (word, time in seconds, score), highest (the highest mean, 0..1), calls (of the network), notes; units
            audio_seconds.

        Raises:
            BadInput: not a sound; an option other than ``progress``.
        """
        progress = _progress(options)
        audio, notes = samples_of(sample, self._settings.rate)
        features = self._frontend({"audio": audio})["features"]
        probabilities = self.probabilities(features, progress)
        events = self.events(probabilities)
        text = ", ".join(f"{event['word']} at {event['time']:.2f} s" for event in events) or "nothing"
        details = {
            "events": events,
            "highest": float(max(self._sums(probabilities), default=0)) / self._rules.smoothed / 256,
            "calls": len(probabilities),
            "notes": notes,
        }
        return Prediction(text, details, {"audio_seconds": len(audio) / self._settings.rate})

    def probabilities(self, features: NDArray[np.int8], progress: Progress) -> NDArray[np.uint8]:
        """Features of a whole sound, [frames, features] -> one probability a call of the network, 0..255."""
        stride = self._rules.stride
        reset(self._network)
        out = np.zeros(len(features) // stride, np.uint8)
        for i in range(len(out)):
            feeds = {"window": features[None, i * stride : (i + 1) * stride]}
            out[i] = self._network(feeds)["probability"].reshape(-1)[0]
            progress(i + 1, len(out))
        return out

    def _sums(self, probabilities: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Sums over each full window of probabilities."""
        totals = np.cumsum(np.concatenate([[0], probabilities.astype(np.int64)]))
        width = self._rules.smoothed
        return totals[width:] - totals[:-width] if len(probabilities) >= width else np.zeros(0, np.int64)

    def events(self, probabilities: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Where the mean exceeds the cutoff, and not right after another."""
        rules, events, free = self._rules, [], 0
        for i, total in enumerate(self._sums(probabilities), rules.smoothed - 1):
            if i >= free and total > rules.limit:
                free = i + 1 + rules.refractory
                frames = (i + 1) * rules.stride
                time = (self._settings.window + (frames - 1) * self._settings.step) / self._settings.rate
                score = int(total) / rules.smoothed / 256
                events.append({"word": self._label, "time": round(time, 3), "score": round(score, 3)})
        return events
