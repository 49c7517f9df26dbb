"""From samples, in pieces of any size, to scores: an ear for each frontend and network.

``push`` takes the next samples (int16) and gives the scores (uint8 [classes]) of every look that they complete. What it
gives in all does not depend on where the sound was cut. ``score_whole_sound`` is for a sound that is there at once.

Phones get samples as floats and graphs over windows; chips get int16 samples and a frontend that gives int8 frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, Runner, fact_of
from edgekit.models.keyword.frontends.mfcc import normalize_level
from edgekit.models.keyword.frontends.micro import MicroFrontend, MicroStream
from edgekit.models.keyword.shapes import KeywordRules, MfccSettings, MicroSettings, WakewordRules

Samples = NDArray[np.int16]
Scores = NDArray[np.uint8]
Progress = Callable[[float, float], None]


class Ear(Protocol):
    """See the file's text."""

    def push(self, samples: Samples, progress: Progress) -> list[Scores]: ...

    def score_whole_sound(self, samples: Samples, progress: Progress) -> list[Scores]: ...

    def reset(self) -> None: ...


def ear(parts: Mapping[str, Runner], facts: Facts) -> Ear:
    """The ear for these parts: `facts` as `prepare` gives them."""
    graph = parts["frontend"].inputs[0].dtype == "float32"
    if "words" in fact_of(facts, "rules", dict):
        keyword = fact_of(facts, "frontend", MfccSettings), fact_of(facts, "rules", KeywordRules)
        return _Window(parts, *keyword) if graph else _Frames(parts, *keyword)
    wakeword = fact_of(facts, "frontend", MicroSettings), fact_of(facts, "rules", WakewordRules)
    return _Strides(parts, *wakeword) if graph else _ChipStrides(parts, *wakeword)


def shares(network: Runner, window: NDArray[Any]) -> Scores:
    """A word network's score of each class for a window [1, ...], as 0..255 of 256."""
    spec = network.outputs[0] if network.outputs else None
    output = network({"window": window})
    if spec is None or spec.dtype == "int8":
        whole: Scores = (next(iter(output.values()))[0].astype(np.int16) + 128).astype(np.uint8)
        return whole
    logits = output[spec.name][0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    parts: Scores = np.clip(np.round(256 * odds / odds.sum()), 0, 255).astype(np.uint8)
    return parts


class Cut:
    """Windows of `size` samples, every `hop`, out of a sound that comes in pieces."""

    def __init__(self, size: int, hop: int) -> None:
        self.size, self._hop = size, hop
        self.reset()

    def reset(self, before: Samples | None = None) -> None:
        """Begin anew, as if `before` had been heard."""
        self._held = np.zeros(0, np.int16) if before is None else before

    def push(self, samples: Samples) -> Iterator[tuple[Samples, float]]:
        """Every window, and the share of `samples` that is done after it."""
        held, start = np.concatenate([self._held, samples]), 0
        while len(held) - start >= self.size:
            window, start = held[start : start + self.size], start + self._hop
            yield window, start / len(held)
        self._held = held[start:]


class _Window:
    """A frontend graph over the whole window of the network, with float features."""

    def __init__(self, parts: Mapping[str, Runner], settings: MfccSettings, rules: KeywordRules) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._cut = Cut(settings.window + (rules.frames - 1) * settings.step, rules.hop * settings.step)

    def reset(self) -> None:
        self._cut.reset()

    def push(self, samples: Samples, progress: Progress) -> list[Scores]:
        out = []
        for window, done in self._cut.push(samples):
            made = self._frontend({"audio": window[None].astype(np.float32) / np.float32(32768)})
            out.append(shares(self._network, made["window"]))
            progress(done, 1)
        return out

    score_whole_sound = push


class _Strides:
    """A frontend graph that makes the frames of one call of a streaming network, and knows the noise so far."""

    def __init__(self, parts: Mapping[str, Runner], settings: MicroSettings, rules: WakewordRules) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._cut = Cut(settings.window + (rules.stride - 1) * settings.step, rules.stride * settings.step)
        self._channels = settings.features
        self._noise = np.zeros((1, self._channels), np.float32)

    def reset(self) -> None:
        self._cut.reset()
        self._noise = np.zeros((1, self._channels), np.float32)
        self._network.reset()

    def push(self, samples: Samples, progress: Progress) -> list[Scores]:
        out = []
        for window, done in self._cut.push(samples):
            audio = window[None].astype(np.float32) / np.float32(32768)
            made = self._frontend({"audio": audio, "noise": self._noise})
            self._noise = made["noise_after"]
            out.append(self._network({"window": made["window"]})["probability"].reshape(-1))
            progress(done, 1)
        return out

    score_whole_sound = push


class _Frames:
    """int8 frames that do not depend on each other, and the loudness of what the network sees."""

    def __init__(self, parts: Mapping[str, Runner], settings: MfccSettings, rules: KeywordRules) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._settings, self._rules = settings, rules
        self.reset()

    def reset(self) -> None:
        self._held = np.zeros(0, np.int16)
        self._features = np.zeros((0, self._settings.features), np.int8)
        self._peaks = np.zeros(0, np.int16)
        self._begun = False

    def push(self, samples: Samples, progress: Progress) -> list[Scores]:
        self._held = np.concatenate([self._held, samples])
        if len(self._held) >= self._settings.window:
            self._extend()
        frames, hop, out = self._rules.frames, self._rules.hop, []
        while len(self._features) >= frames:
            seen = normalize_level(self._features[:frames], int(self._peaks[:frames].max()), self._settings)
            out.append(shares(self._network, seen[None, :, :, None]))
            progress(frames, len(self._features))
            self._features, self._peaks = self._features[hop:], self._peaks[hop:]
        return out

    score_whole_sound = push

    def _extend(self) -> None:
        window, step = self._settings.window, self._settings.step
        features = self._frontend({"audio": self._held})["features"]
        # The largest of the samples that each frame adds to those before it.
        ends = [0 if not self._begun else window - step, *(window + i * step for i in range(len(features)))]
        peaks = np.maximum.reduceat(self._held[: ends[-1]], ends[:-1])
        self._features, self._peaks = np.concatenate([self._features, features]), np.concatenate([self._peaks, peaks])
        self._held, self._begun = self._held[len(features) * step :], True


class _ChipStrides:
    """int8 frames of the integer frontend. Its code for the chip takes a whole sound at once on this machine, so pieces
    go through its specification, which is equal bit for bit (tested)."""

    def __init__(self, parts: Mapping[str, Runner], settings: MicroSettings, rules: WakewordRules) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        self._stride = rules.stride
        self._stream = MicroStream(MicroFrontend(settings))
        self._features = np.zeros((0, settings.features), np.int8)

    def reset(self) -> None:
        self._stream.reset()
        self._features = self._features[:0]
        self._network.reset()

    def push(self, samples: Samples, progress: Progress) -> list[Scores]:
        return self._score_strides(self._stream.push(samples), progress)

    def score_whole_sound(self, samples: Samples, progress: Progress) -> list[Scores]:
        return self._score_strides(self._frontend({"audio": samples})["features"], progress)

    def _score_strides(self, frames: NDArray[np.int8], progress: Progress) -> list[Scores]:
        features, stride = np.concatenate([self._features, frames]), self._stride
        count = len(features) // stride
        out = []
        for i in range(count):
            feeds = {"window": features[None, i * stride : (i + 1) * stride]}
            out.append(self._network(feeds)["probability"].reshape(-1))
            progress(i + 1, count)
        self._features = features[count * stride :]
        return out
