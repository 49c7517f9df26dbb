"""openWakeWord on sound that comes in pieces: 80 ms at a time through its three networks.

Time runs as in pyopen-wakeword: silence is taken to have been before the sound, so the first answer comes after 30 ms
and the networks need no run-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Runner, fact_of
from edgekit.models.keyword.hearing import rules
from edgekit.models.keyword.hearing.ears import Cut, Progress, Samples, Scores
from edgekit.models.keyword.hearing.pipeline import PhraseSpotter
from edgekit.models.keyword.openwakeword.shapes import OpenRules, OpenSettings


def probability(logits: NDArray[Any]) -> float:
    """Logits [2], of the listener and of the checker, to the probability that the phrase was said."""
    decisive = float(logits[0] if logits[0] < 0 else logits[1])
    return float(1 / (1 + np.exp(-decisive))) if decisive > -700 else 0.0


@dataclass(frozen=True)
class Silence:
    """What the parts give for digital silence: a channel of a frame, and an embedding."""

    frame: float
    embedding: list[float]


class OpenEar:
    """See `edgekit.models.keyword.hearing.ears.Ear`. A score is the probability in whole 256ths, rounded down."""

    def __init__(self, parts: Mapping[str, Runner], shape: OpenSettings, silence: Silence) -> None:
        self._frontend, self._embedding, self._head = parts["frontend"], parts["embedding"], parts["head"]
        self._shape, self._silence = shape, silence
        self._cut = Cut(shape.samples, shape.hop)
        self.reset()

    def reset(self) -> None:
        shape = self._shape
        self._cut.reset(np.zeros(shape.hop, np.int16))
        # One call's frames more than an embedding looks at do not fit, so the newest few wait for the next call.
        held = -(-shape.frames // shape.step) * shape.step - shape.step
        self._frames = np.full((1, held, shape.mels), self._silence.frame, np.float32)
        before = np.array(self._silence.embedding, np.float32)
        self._embeddings = np.tile(before, (1, shape.embeddings - 1, 1))

    def push(self, samples: Samples, progress: Progress) -> list[Scores]:
        out = []
        for window, done in self._cut.push(samples):
            out.append(np.array([min(255, int(256 * self._score_window(window)))], np.uint8))
            progress(done, 1)
        return out

    score_whole_sound = push

    def _score_window(self, window: Samples) -> float:
        shape = self._shape
        audio = window[None].astype(np.float32) / np.float32(32768)
        frames = np.concatenate([self._frames, self._frontend({"audio": audio})["frames"]], axis=1)
        self._frames = frames[:, shape.step :]
        made = self._embedding({"window": frames[:, : shape.frames]})["embedding"]
        embeddings = np.concatenate([self._embeddings, made[None]], axis=1)
        self._embeddings = embeddings[:, 1:]
        return probability(self._head({"embeddings": embeddings})["logits"][0])


class OpenWakewordSpotter(PhraseSpotter):
    """One phrase, as openWakeWord's networks find it."""

    def __init__(self, parts: Mapping[str, Runner], facts: Facts) -> None:
        shape, open_rules = fact_of(facts, "frontend", OpenSettings), fact_of(facts, "rules", OpenRules)
        limit = int(np.ceil(open_rules.cutoff * rules.STEPS)) - 1  # scores are rounded down: more than this reaches it
        first = shape.samples - shape.hop
        labels = tuple(fact_of(facts, "labels", list[str]))
        mean = rules.Mean(labels, 1, limit, open_rules.refractory, True, first, shape.hop, shape.rate)
        hearing = OpenEar(parts, shape, fact_of(facts, "silence", Silence))
        super().__init__(hearing, rules.apply_operating_point(mean, facts))
