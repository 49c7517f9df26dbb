"""Speaker verification: from a clip to an embedding, from two clips to whether one person speaks in both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput
from edgekit.models.speaker.shapes import N_FFT, SAMPLE_RATE
from edgekit.tasks.common.audio import Audio, open_audio

#: A clip shorter than this (seconds) or more silent than this (root mean square, of full scale) holds no voice.
_SHORTEST, _QUIETEST = 0.25, 1e-4
_BLOCK = 10 * SAMPLE_RATE
#: Embeddings that are remembered while pairs are compared: 256 numbers each.
_MOST_REMEMBERED = 10_000
#: Most clips that `together` compares at once.
_MOST_TOGETHER = 100
Tell = Callable[[float, float], None]


@dataclass(frozen=True)
class Voice:
    """A clip's embedding, float32 [E] of length 1, how long the clip is, and what had to be done to it."""

    embedding: Floats
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Clip:
    """A clip before it is embedded: its length in samples, its root mean square, notes for the user."""

    samples: int
    loudness: float
    notes: tuple[str, ...]


class SpeakerVerifier(Predictor):
    """Embeds clips and compares them. See `EcapaVerifier` and `Ge2eVerifier` for what differs.

    `facts`: ``threshold`` {"value": cosine, ...}, in the place of which ``operating_point`` {"threshold": cosine, ...}
    counts where the bundle has one.

    Options of `predict` and `together`: ``threshold`` instead of the bundle's.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._frontend, self._network = parts["frontend"], parts["network"]
        point = fact_of(facts, "operating_point", dict, {})
        self._threshold = float(point["threshold"] if point else fact_of(facts, "threshold", dict)["value"])
        self._remembered: dict[tuple[str, int, int], Voice] = {}

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Embed a clip, or compare two.

        Args:
            sample: a clip (a path, a float array [samples] at 16 kHz, or (array, its rate)), or a pair of paths.

        Returns:
            For a clip: details with the ``embedding`` (a list of floats, of length 1). For a pair: details with
            ``score`` (the cosine of the two embeddings), ``threshold`` and ``same``.

        Raises:
            BadInput: a clip that cannot be read, is silent or shorter than a quarter of a second; unknown options.
        """
        threshold, tell = self._options(options)
        if isinstance(sample, (tuple, list)) and len(sample) == 2 and all(isinstance(s, (str, Path)) for s in sample):
            return self._pair(sample[0], sample[1], threshold, tell)
        voice = self._voice(sample, tell)
        return Prediction(
            f"a voice as {len(voice.embedding)} numbers",
            {"embedding": voice.embedding.tolist(), "seconds": voice.seconds, "notes": list(voice.notes)},
            {"audio_seconds": voice.seconds},
        )

    def together(self, samples: Sequence[Any], **options: Any) -> Prediction:
        """Compare clips with each other: two as `predict` does, more as a table of all pairs.

        Raises:
            BadInput: as `predict`, or too many clips.
        """
        threshold, tell = self._options(options)
        if len(samples) == 2:
            return self._pair(samples[0], samples[1], threshold, tell)
        if not 2 < len(samples) <= _MOST_TOGETHER:
            raise BadInput(f"{len(samples)} clips cannot be compared at once: 2 to {_MOST_TOGETHER} can.")
        voices = []
        for i, sample in enumerate(samples):
            voices.append(self._cached_voice(sample, lambda done, total: None))
            tell(i + 1, len(samples))
        pairs = []
        for (i, voice), (j, second) in combinations(enumerate(voices), 2):
            score = float(voice.embedding @ second.embedding)
            pairs.append({"a": str(samples[i]), "b": str(samples[j]), "score": score, "same": score >= threshold})
        lines = [f"{'same     ' if p['same'] else 'different'} {p['score']:6.3f}  {p['a']}  {p['b']}" for p in pairs]
        notes = [f"{_name(s)}: {note}" for s, voice in zip(samples, voices, strict=True) for note in voice.notes]
        return Prediction(
            "\n".join(lines),
            {"pairs": pairs, "threshold": threshold, "notes": notes},
            {"audio_seconds": sum(voice.seconds for voice in voices)},
        )

    def _pair(self, first: Any, second: Any, threshold: float, tell: Tell) -> Prediction:
        voices = [self._cached_voice(first, tell), self._cached_voice(second, tell)]
        score = float(voices[0].embedding @ voices[1].embedding)
        same = score >= threshold
        said = "the same speaker" if same else "different speakers"
        notes = [f"{_name(s)}: {note}" for s, v in zip((first, second), voices, strict=True) for note in v.notes]
        return Prediction(
            f"{said}: {score:.3f}, threshold {threshold:.3f}",
            {"score": score, "threshold": threshold, "same": same, "notes": notes},
            {"audio_seconds": sum(voice.seconds for voice in voices)},
            score=score,
        )

    def _options(self, options: Mapping[str, Any]) -> tuple[float, Tell]:
        check_names(options, ("threshold",))
        threshold = options.get("threshold", self._threshold)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not -1.0 <= threshold <= 1.0:
            raise BadInput(f"the threshold is a cosine, from -1 to 1, not {threshold!r}.")
        return float(threshold), options.get("progress") or (lambda done, total: None)

    def _cached_voice(self, sample: Any, tell: Tell) -> Voice:
        """The voice in a clip; that of a file which has not changed since is remembered.

        Raises:
            BadInput: naming the file, for there are several.
        """
        try:
            if not isinstance(sample, (str, Path)) or not Path(sample).is_file():
                return self._voice(sample, tell)
            facts = Path(sample).stat()
            key = (str(sample), facts.st_size, facts.st_mtime_ns)
            if key not in self._remembered:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = self._voice(sample, tell)
            return self._remembered[key]
        except BadInput as exc:
            if _name(sample) in exc.message:
                raise
            raise BadInput(f"{_name(sample)}: {exc.message}", hint=exc.hint) from exc

    def _voice(self, sample: Any, tell: Tell) -> Voice:
        clip = _look(sample)
        notes = list(clip.notes)
        embeddings = list(self._embeddings(sample, clip, notes, tell))
        mean: NDArray[np.float64] = np.mean(np.concatenate(embeddings), axis=0, dtype=np.float64)
        length = float(np.linalg.norm(mean))
        if not length > 0:
            raise BadInput("the network finds no voice in this clip.")
        return Voice((mean / length).astype(np.float32), clip.samples / SAMPLE_RATE, tuple(notes))

    @abstractmethod
    def _embeddings(self, sample: Any, clip: _Clip, notes: list[str], tell: Tell) -> Iterator[Floats]:
        """Embeddings [stretches, E] of stretches of the clip, each of length 1; notes of what was done are added."""


class EcapaVerifier(SpeakerVerifier):
    """Windows of a clip, each of length 1 after the network; their mean, made that long again.

    `facts`: ``window`` {"least", "most"}: samples that a window has. A shorter clip is repeated; a longer one is cut
    into as few windows of the largest size as cover it, evenly spaced.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        super().__init__(parts, folder, facts)
        window = fact_of(facts, "window", dict[str, int])
        self._least, self._most = window["least"], window["most"]

    def _embeddings(self, sample: Any, clip: _Clip, notes: list[str], tell: Tell) -> Iterator[Floats]:
        if clip.samples < self._least:
            notes.append(
                f"only {clip.samples / SAMPLE_RATE:.1f} s of sound, repeated to {self._least / SAMPLE_RATE:.1f} s"
            )
        audio = open_audio(sample, SAMPLE_RATE)
        starts = window_starts(clip.samples, self._most)
        for i, start in enumerate(starts):
            samples = audio.window(start, self._most)
            if len(samples) < self._least:
                samples = np.resize(samples, self._least)  # repeats it
            features = self._frontend({"audio": samples[None]})["features"]
            yield self._network({"features": features})["embedding"]
            tell(i + 1, len(starts))


class Ge2eVerifier(SpeakerVerifier):
    """Stretches of 1.6 s that overlap by about half, as Resemblyzer takes them; the mean of their embeddings.

    `facts`: ``stretch`` {"frames", "step", "hop", "coverage", "batch"}. What the last stretch lacks is zeros.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        super().__init__(parts, folder, facts)
        rules = fact_of(facts, "stretch", dict[str, float])
        self._frames, self._step, self._hop = (int(rules[name]) for name in ("frames", "step", "hop"))
        self._coverage, self._batch = rules["coverage"], int(rules["batch"])
        if min(self._frames, self._step, self._hop, self._batch) < 1:
            raise ValueError("the stretches have no length")

    def _embeddings(self, sample: Any, clip: _Clip, notes: list[str], tell: Tell) -> Iterator[Floats]:
        if clip.samples < self._frames * self._hop:
            notes.append(f"only {clip.samples / SAMPLE_RATE:.1f} s of sound, filled with silence to 1.6 s")
        audio = open_audio(sample, SAMPLE_RATE)
        loudness = np.array([clip.loudness], np.float32)
        starts = stretch_starts(clip.samples, self._frames, self._step, self._hop, self._coverage)
        for i in range(0, len(starts), self._batch):
            chosen = starts[i : i + self._batch]
            stretches = [self._stretch(audio, start * self._hop) for start in chosen]
            features = self._frontend({"audio": np.stack(stretches), "loudness": loudness})["features"]
            yield self._network({"features": features})["embedding"]
            tell(i + len(chosen), len(starts))

    def _stretch(self, audio: Audio, start: int) -> Floats:
        """The samples of a stretch and half a frame's around it; zeros before and behind the clip."""
        around = N_FFT // 2
        before = max(0, around - start)
        size = (self._frames - 1) * self._hop + N_FFT
        samples = audio.window(max(0, start - around), size - before)
        return np.pad(samples, (before, size - before - len(samples)))


def window_starts(samples: int, most: int) -> list[int]:
    """Where windows of `most` samples begin so that as few as possible cover a clip, evenly spaced."""
    count = max(1, -(-samples // most))
    last = max(0, samples - most)
    return [round(i * last / (count - 1)) for i in range(count)] if count > 1 else [0]


def stretch_starts(samples: int, frames: int, step: int, hop: int, coverage: float) -> list[int]:
    """First frames of a clip's stretches: Resemblyzer's ``compute_partial_slices``.

    Args:
        coverage: of the last stretch at least this share must be sound, or it is left out (but for the only stretch).
    """
    count = -(-(samples + 1) // hop)
    starts = list(range(0, max(1, count - frames + step + 1), step))
    if len(starts) > 1 and (samples - starts[-1] * hop) / (frames * hop) < coverage:
        starts.pop()
    return starts


def _look(sample: Any) -> _Clip:
    """Length and loudness of a clip, read once through.

    Raises:
        BadInput: it cannot be read, is too short, or silent.
    """
    audio, samples, power = open_audio(sample, SAMPLE_RATE), 0, 0.0
    while len(block := audio.window(samples, _BLOCK)):
        samples += len(block)
        power += float(np.square(block, dtype=np.float64).sum())
    if samples < _SHORTEST * SAMPLE_RATE:
        raise BadInput(f"the clip has {samples / SAMPLE_RATE:.2f} s; a voice takes at least {_SHORTEST} s.")
    loudness = float(np.sqrt(power / samples))
    if loudness < _QUIETEST:
        raise BadInput("the clip is silent: there is no voice in it.")
    return _Clip(samples, loudness, tuple(audio.notes))


def _name(sample: Any) -> str:
    return Path(sample).name if isinstance(sample, (str, Path)) else "an array"
