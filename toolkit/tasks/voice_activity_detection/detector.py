"""The pipeline from a sound to the spans in which somebody speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.tasks.common.audio import open_audio
from edgekit.tasks.voice_activity_detection.listener import Listener
from edgekit.tasks.voice_activity_detection.segments import Rules, Span, segments

#: Frames that are read at once; frames of an answer at most: a day of frames of 32 ms.
_BLOCK, _MOST = 320, 2_700_000
_OPTIONS = tuple(field.name for field in fields(Rules))


class SpeechDetector(Predictor):
    """Speech in a sound.

    `facts`: ``sample_rate``, those of `Listener`, and ``rules``, the defaults of the options.

    `predict` takes the options of `edgekit.tasks.voice_activity_detection.Rules`: ``threshold``, ``pause`` and others.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._listener = Listener(parts["network"], facts)
        self._rate, self._rules = fact_of(facts, "sample_rate", int), fact_of(facts, "rules", Rules)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Find speech in a sound (see `edgekit.tasks.common.audio.open_audio`).

        Returns:
            A Prediction: such as ``"speech from 0.29 to 2.21 s"``; details ``speech`` (``start``, ``end`` in seconds),
            ``probabilities`` and ``loudness`` (root mean square) of each frame, ``frame`` (seconds), ``threshold``;
            units audio_seconds; the score is a mapping of ``spans`` and ``seconds``, for the metric ``frame-error``.

        Raises:
            BadInput: the sound cannot be read or is longer than a day; an option is unknown or has a wrong value.
        """
        progress = options.pop("progress", None) or (lambda done, total: None)
        check_names(options, _OPTIONS)
        rules = replace(self._rules, **options)
        audio, heard, loud, samples = open_audio(sample, self._rate), list[float](), list[float](), 0
        self._listener.reset()
        size = _BLOCK * self._listener.hop
        while len(block := audio.window(samples, size)):
            samples += len(block)
            heard += self._listener.push(block)
            loud += _loudness(block, self._listener.hop)
            if len(heard) > _MOST:
                raise BadInput("the sound is longer than a day.")
            progress(samples / self._rate, audio.seconds)
        heard += self._listener.finish()
        seconds = samples / self._rate
        spans = segments(heard, rules, seconds=seconds, hop=self._listener.hop, rate=self._rate)
        speech, frame = [{"start": start, "end": end} for start, end in spans], self._listener.hop / self._rate
        curves = {"speech": speech, "probabilities": heard, "loudness": loud, "frame": frame}
        details = {**curves, "threshold": rules.threshold, "notes": list(audio.notes)}
        score = {"spans": spans, "seconds": seconds}
        return Prediction(_describe_spans(spans), details, {"audio_seconds": seconds}, score=score)


def _loudness(block: NDArray[np.float32], hop: int) -> list[float]:
    """The root mean square of each frame of `block`, of which the last may be shorter."""
    power = np.add.reduceat(np.square(block, dtype=np.float64), range(0, len(block), hop))
    power[:-1] /= hop
    power[-1] /= len(block) - hop * (len(power) - 1)
    return [float(value) for value in np.sqrt(power)]


def _describe_spans(spans: list[Span]) -> str:
    if not spans:
        return "no speech"
    return "speech from " + ", ".join(f"{start:.2f} to {end:.2f}" for start, end in spans) + " s"
