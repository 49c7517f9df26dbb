"""The pipeline from a sound to labels, of networks that take it whole (wav2vec 2.0, audio spectrogram transformers)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.tasks.common.labels import rank_labels, top_of
from edgekit.tasks.common.waveforms import Waveforms


class Sounds(Predictor):
    """Labels of a sound.

    `facts`: ``labels``, ``activation``, those of `edgekit.tasks.common.waveforms.Waveforms`; with a part "frontend"
    also ``frame`` and ``hop`` (samples), and ``silence``, the value of features behind the sound's end.

    `predict` takes the option ``top``: the number of labels listed.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._frontend = parts["network"], parts.get("frontend")
        self._waveforms = Waveforms(facts)
        self._labels, self._activation = fact_of(facts, "labels", list[str]), fact_of(facts, "activation", str)
        self._frame, self._hop = fact_of(facts, "frame", int, 1), fact_of(facts, "hop", int, 1)
        self._silence = fact_of(facts, "silence", float, 0.0)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Classify a sound (see `edgekit.tasks.common.audio.open_audio`); of a long one, its beginning.

        Raises:
            BadInput: it cannot be read, is too short, or an option is unknown.
        """
        top = top_of(options)
        first = (self._frontend or self._network).inputs[0]
        wave = next(self._waveforms.windows(sample, first))
        feeds = {first.name: wave.samples}
        if self._frontend is not None:
            spec = self._network.inputs[0]
            features = self._frontend(feeds)[spec.name].copy()
            features[:, max(0, 1 + (wave.length - self._frame) // self._hop) :] = self._silence
            feeds = {spec.name: features}
        values = self._network(feeds)[self._network.outputs[0].name]
        notes = [*wave.notes, *(["it is longer than the network takes; its end is left out"] if wave.more else [])]
        return rank_labels(values, self._labels, self._activation, top, notes, {"audio_seconds": wave.seconds})
