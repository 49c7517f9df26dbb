"""Speech recognition: from a sound to a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Agreement, Evaluation, Facts, Prediction, Predictor, Runner, Sample, Task, fact_of
from edgekit.core.options import check_names
from edgekit.tasks.common.agreement import same_words, words
from edgekit.tasks.common.folders import sounds
from edgekit.tasks.common.waveforms import Wave, Waveforms
from edgekit.tasks.evidence.speech import SPEECH


class Letters(Predictor):
    """Speech as letters, the likeliest at each moment, of networks that give one for every moment (CTC).

    `facts`: ``vocabulary`` (letters by number), ``blank`` (the number that stands for none), ``delimiter`` (of words),
    ``lower`` (the text in small letters), those of `edgekit.tasks.common.waveforms.Waveforms`.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._network, self._waveforms = parts["network"], Waveforms(facts)
        self._vocabulary, self._blank = fact_of(facts, "vocabulary", list[str]), fact_of(facts, "blank", int)
        self._delimiter, self._lower = fact_of(facts, "delimiter", str), fact_of(facts, "lower", bool, False)

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """The text of a sound (see `edgekit.tasks.common.audio.open_audio`); of a long one window after window.

        Raises:
            BadInput: it cannot be read, or is too short; unknown options.
        """
        options.pop("language", None)  # these networks know only their own
        check_names(options, ())
        progress = options.get("progress")
        texts, seconds, notes = [], 0.0, list[str]()
        for wave, logits in self._moments(sample):
            best = [int(i) for i in logits.argmax(axis=-1)]
            texts.append(decode_ctc(best, self._vocabulary, self._blank, self._delimiter))
            seconds, notes = seconds + wave.seconds, list(wave.notes)
            if progress:
                progress(seconds, seconds)
        text = " ".join(filter(None, texts))
        details = {"windows": len(texts), "notes": notes}
        return Prediction(text.lower() if self._lower else text, details, {"audio_seconds": seconds})

    def next_tokens(self, sample: Any, answer: Any) -> NDArray[Any]:
        """See `edgekit.core.Predictor.next_tokens`: of every moment, whatever the answer."""
        return _log_softmax(np.concatenate([logits for _, logits in self._moments(sample)]))

    def _moments(self, sample: Any) -> Iterator[tuple[Wave, NDArray[Any]]]:
        """The windows of a sound, and the logits [moments, vocabulary] of each."""
        spec, output = self._network.inputs[0], self._network.outputs[0]
        for wave in self._waveforms.windows(sample, spec):
            logits = self._network({spec.name: wave.samples})[output.name][0]
            # What was filled up has no letters; a moment covers as many samples as any other.
            yield wave, logits[: -(-len(logits) * wave.length // wave.samples.shape[1])]


def _log_softmax(logits: NDArray[Any]) -> NDArray[Any]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[Any] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def decode_ctc(best: Sequence[int], vocabulary: Sequence[str], blank: int, delimiter: str) -> str:
    """The text of the likeliest letter at each moment: one that stays counts once, `blank` separates equal ones."""
    kept = [at for i, at in enumerate(best) if at != blank and (not i or at != best[i - 1])]
    text = "".join(vocabulary[at] if 0 <= at < len(vocabulary) else "" for at in kept)
    return " ".join(text.replace(delimiter, " ").split()) if delimiter else text


def _text(prediction: Prediction) -> str:
    return str(prediction.metric_input)


def _samples(folder: Path, labels: Sequence[str]) -> Sequence[Sample]:
    """Samples of ``manifest.jsonl`` ({"audio", "text", "language"}); without it, every sound, without a truth."""
    return sounds(folder, lambda entry: str(entry["text"]), '{"audio": ..., "text": ...}', language="language")


def _figures(answers: Sequence[Any], reference: Sequence[Any]) -> Mapping[str, float]:
    return {_WORDS: words(answers, reference)}


_WORDS = "share of the same words"

TASK = Task(
    "automatic-speech-recognition",
    "sound",
    "answers",
    _samples,
    Letters,
    metric="wer",
    golden="data/golden/jfk.flac",
    # Of a stranger's network no error rate is known that would be too high; its loss is judged.
    evaluation=Evaluation("wer", worst=None, drop=0.01, minimum=20),
    evidence=SPEECH,
    # The floor is of positions: whole clips are a coarse measure.
    agreement=Agreement(
        "the same words", _text, same_words, bar=0.6, figures=_figures, bars={_WORDS: 0.95}, least=0.95
    ),
)
