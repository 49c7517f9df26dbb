"""Audio classification: keywords and wake words in a sound, or what a sound is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core import Agreement, Evaluation, Facts, Prediction, Predictor, Runner, Task, fact_of
from edgekit.numerics.alarms import NOTHING
from edgekit.tasks.audio_classification.samples import word_samples
from edgekit.tasks.common.agreement import label
from edgekit.tasks.common.labels import rank_labels, top_of
from edgekit.tasks.common.waveforms import Waveforms
from edgekit.tasks.evidence.speech import SPEECH


class Sounds(Predictor):
    """Labels of a sound, of networks that take it whole (wav2vec 2.0, audio spectrogram transformers).

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


def _answer(prediction: Prediction) -> Facts:
    return {"label": label(prediction), "curve": list(prediction.details.get("curve", ()))}


def _is_nothing(answer: Any) -> bool:
    return bool(answer["label"] == NOTHING)


def _same(answers: Sequence[Any], reference: Sequence[Any]) -> list[bool]:
    return [answer["label"] == wanted["label"] for answer, wanted in zip(answers, reference, strict=True)]


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    from edgekit.tasks.audio_classification.curves import distances

    far = distances([answer["curve"] for answer in answers], [wanted["curve"] for wanted in reference])
    return {"largest mean distance of scores": max(far)} if far else {}


TASK = Task(
    "audio-classification",
    "sound",
    "answers",
    lambda folder, labels: word_samples(folder, tuple(labels)),
    Sounds,
    metric="accuracy",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no accuracy is known that would be too low; its loss is judged.
    evaluation=Evaluation("accuracy", worst=None, drop=0.01, minimum=200),
    evidence=SPEECH,
    agreement=Agreement("the same decision", _answer, _same, bar=0.9, figures=_figures, nothing=_is_nothing),
)
