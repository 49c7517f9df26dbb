"""The pipeline from a text to a sound: phonemes, their durations, latent frames, samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Facts, Prediction, Predictor, Runner, fact_of
from edgekit.core.options import check_names
from edgekit.errors import BadInput, need
from edgekit.tasks.common.tokens import text_of
from edgekit.tasks.text_to_speech.manner import OPTIONS, Manner
from edgekit.tasks.text_to_speech.phonemes import phonemes_of, sentences
from edgekit.tasks.text_to_speech.pieces import Alphabet

#: Largest sample of a sound.
_PEAK = 0.95
_FORMATS = (".wav", ".flac", ".ogg")


def join_sounds(sentences: Sequence[Sequence[Floats]], pause: int) -> Floats:
    """The sounds of sentences, `pause` samples of silence between them; scaled so that the loudest sample is 0.95, as
    voices differ in level. Values that are no numbers become silence."""
    silence = np.zeros(pause, np.float32)
    sounds = [part for sentence in sentences for part in (*sentence, silence)][:-1]
    sound = np.nan_to_num(np.concatenate(sounds), nan=0.0, posinf=0.0, neginf=0.0)
    loudest = float(np.abs(sound).max())
    scaled: Floats = (sound * (_PEAK / loudest)).astype(np.float32) if loudest > 1e-6 else sound
    return scaled


def writer(out: Any) -> Callable[[Floats, int], None]:
    """What writes a sound to the file `out`, in 16 bits; its name is judged before the work.

    Raises:
        BadInput: a kind of file that is not written.
    """
    from edgekit.common.files import replacing

    if not out:
        return lambda sound, rate: None
    file = Path(str(out))
    if file.suffix.lower() not in _FORMATS:
        raise BadInput(f"sound is written as {', '.join(_FORMATS)}, not as {file.name!r}.")
    with need("run", "Writing sound"):
        import soundfile

    def write(sound: Floats, rate: int) -> None:
        with replacing(file) as fresh:
            soundfile.write(fresh, sound, rate, format=file.suffix[1:].upper())

    return write


#: Most frames of a phoneme: a network that asks for more is broken.
_LONGEST = 400
#: Frames that `Speaker.probe` gives each id.
_PROBED = 2


class Speaker(Predictor):
    """A voice.

    Parts: ``encoder``: ``phonemes`` int64 [1, n], ``mask`` float32 [1, n], ``noise`` float32 [1, 2, n] ->
    ``durations`` float32 [1, n] in frames, ``means`` and ``deviations`` float32 [1, channels, n]; ``decoder``:
    ``latents`` float32 [1, channels, frames], ``mask`` float32 [1, frames] -> ``audio`` float32 [1, frames * hop].
    Where a format has fixed shapes, inputs are filled up with zeros, and the decoder takes windows that overlap.

    `facts`: ``sample_rate``, ``hop``, ``window`` and ``halo`` (frames that are decoded at once, and those on either
    side that a sample depends on), ``manner`` (see `manner.Manner`), ``pause`` (seconds between sentences), ``voice``
    of espeak-ng, ``most`` (ids of a call) and ``alphabet`` (see `pieces.Alphabet`).

    `predict` takes the options of `Manner` and ``out``: a file for the sound.
    """

    def __init__(self, parts: Mapping[str, Runner], folder: Path, facts: Facts) -> None:
        self._encoder, self._decoder, self._facts = parts["encoder"], parts["decoder"], facts
        self._alphabet = Alphabet(fact_of(facts, "alphabet", dict[str, list[int]]))
        self._rate, self._hop, self._halo = (fact_of(facts, name, int) for name in ("sample_rate", "hop", "halo"))
        self._manner, self._voice = fact_of(facts, "manner", Manner), fact_of(facts, "voice", str)
        self._ids = _last_axis_size(self._encoder, "phonemes")
        self._frames = _last_axis_size(self._decoder, "latents")

    def predict(self, sample: Any, **options: Any) -> Prediction:
        """Read a text.

        Args:
            sample: a text, or a file that ends in .txt. What stands in ``[[ ]]`` is taken as phonemes.

        Returns:
            A Prediction: such as ``"3.21 s of speech, 2 sentences"``; details ``phonemes`` (one string a sentence),
            ``sample_rate``, ``seconds``; units audio_seconds; the score is the sound, float32 [samples].

        Raises:
            BadInput: the text is empty, nothing in it can be read, or an option is unknown or has a wrong value.
            MissingExtra: espeak-ng is needed and not installed.
        """
        progress, out = options.pop("progress", None) or (lambda done, total: None), options.pop("out", "")
        check_names(options, ("out", *OPTIONS))
        manner = replace(self._manner, **options)
        write = writer(out)
        said = sentences(phonemes_of(text_of(sample), self._voice))
        ids = [self._alphabet.pieces(sentence, self._ids or fact_of(self._facts, "most", int)) for sentence in said]
        sounds = []
        for place, pieces in enumerate(ids):
            sounds.append([self._read(piece, manner, place) for piece in pieces])
            progress(place + 1, len(ids))
        sound = join_sounds(sounds, round(fact_of(self._facts, "pause", float) * self._rate))
        write(sound, self._rate)
        seconds = len(sound) / self._rate
        count = f"{len(said)} sentences" if len(said) > 1 else "1 sentence"
        details = {
            "phonemes": said,
            "sample_rate": self._rate,
            "seconds": seconds,
            "lines": [f"{seconds:.2f} s of speech, {count}" + ("" if out else ": --out FILE.wav keeps them")],
            "notes": self._alphabet.notes("".join(said)),
        }
        return Prediction(f"{seconds:.2f} s of speech, {count}", details, {"audio_seconds": seconds}, score=sound)

    def probe(self, sample: Any) -> Prediction:
        """Both parts, neither deciding the other's inputs: two frames of noise for every id go to the decoder.

        A vocoder's phases follow from its input's last digits: means that move by 0.1 % move samples by 4 % and spectra
        by 0.1 dB. So samples tell of a part; of the chain tell spectra (the task's agreement).
        """
        manner = self._manner
        said = sentences(phonemes_of(text_of(sample), self._voice))
        ids = self._alphabet.pieces(said[0], self._ids or fact_of(self._facts, "most", int))[0]
        _, means, _ = self._encode_phonemes(ids, manner, 0)
        drawn = np.random.default_rng(manner.seed).standard_normal((_PROBED * len(ids), means.shape[1]), np.float32)
        sound = self._decode_latents(drawn)
        seconds = len(sound) / self._rate
        return Prediction(f"{seconds:.2f} s of speech", {}, {"audio_seconds": seconds}, score=sound)

    def _read(self, ids: Sequence[int], manner: Manner, place: int) -> Floats:
        """The sound of a piece of a text, the `place`-th."""
        durations, means, deviations = self._encode_phonemes(ids, manner, place)
        frames = np.ceil(np.nan_to_num(durations, nan=0.0) / manner.speed)
        frames = np.clip(frames, 0, _LONGEST).astype(np.int64)
        if not frames.any():
            frames[:] = 1
        return self._decode_latents(_latents(frames, means, deviations, manner, place))

    def _encode_phonemes(self, ids: Sequence[int], manner: Manner, place: int) -> tuple[Floats, Floats, Floats]:
        """Durations [n], means and deviations [n, channels] of ids."""
        count, size = len(ids), self._ids or len(ids)
        feeds: dict[str, NDArray[Any]] = {
            "phonemes": np.zeros((1, size), np.int64),
            "mask": np.zeros((1, size), np.float32),
            "noise": np.zeros((1, 2, size), np.float32),
        }
        feeds["phonemes"][0, :count], feeds["mask"][0, :count] = ids, 1.0
        drawn = np.random.default_rng((manner.seed, place)).standard_normal((count, 2), np.float32)
        feeds["noise"][0, :, :count] = np.float32(manner.rhythm) * drawn.T
        kinds = {spec.name: spec.dtype for spec in self._encoder.inputs}
        made = self._encoder({name: array.astype(kinds[name]) for name, array in feeds.items()})
        return made["durations"][0, :count], made["means"][0, :, :count].T, made["deviations"][0, :, :count].T

    def _decode_latents(self, latents: Floats) -> Floats:
        """The sound of latent frames [frames, channels], a window at a time."""
        total, window = len(latents), self._frames or min(len(latents), fact_of(self._facts, "window", int))
        sounds = []
        for start, begin, end in _windows(total, window, self._halo):
            held = latents[start : start + window]
            feeds = {
                "latents": np.zeros((1, latents.shape[1], window), np.float32),
                "mask": np.zeros((1, window), np.float32),
            }
            feeds["latents"][0, :, : len(held)], feeds["mask"][0, : len(held)] = held.T, 1.0
            audio = self._decoder(feeds)["audio"][0]
            sounds.append(audio[(begin - start) * self._hop : (end - start) * self._hop])
        return np.concatenate(sounds).astype(np.float32)


def _last_axis_size(runner: Runner, name: str) -> int:
    """The size of the last axis of an input, 0 where it is dynamic."""
    size = next(spec.shape[-1] for spec in runner.inputs if spec.name == name)
    return size if isinstance(size, int) else 0


def _latents(frames: NDArray[Any], means: Floats, deviations: Floats, manner: Manner, place: int) -> Floats:
    """Latent frames float32 [sum of frames, channels]. Each id draws noise of its own, so that a duration which is
    rounded otherwise changes one frame of noise and not all that follow."""
    drawn = [
        np.random.default_rng((manner.seed, place, at)).standard_normal((count, means.shape[1]), np.float32)
        for at, count in enumerate(frames.tolist())
    ]
    repeated = (np.repeat(values, frames, axis=0) for values in (means, deviations))
    middle, spread = repeated
    latents: Floats = middle + np.float32(manner.noise) * spread * np.concatenate(drawn)
    return latents.astype(np.float32)


def _windows(total: int, window: int, halo: int) -> Iterator[tuple[int, int, int]]:
    """(first frame of a window, first and end of the frames that are taken from it). The last window ends where the
    frames end, so that nothing but silence lies behind them only where there are fewer than a window."""
    begin = 0
    while begin < total:
        start = max(0, min(begin - halo, total - window))
        end = total if start + window >= total else start + window - halo
        yield start, begin, end
        begin = end
