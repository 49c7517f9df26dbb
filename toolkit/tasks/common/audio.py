"""Audio in: any file that libsndfile reads, or an array, as 16 kHz mono float32 blocks of bounded memory.

Used by every speech family. Decoding is libsndfile's (soundfile), resampling is the SoX resampler (soxr, its HQ
recipe), streamed, so that two hours of audio need no more memory than thirty seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.common.files import need_file
from edgekit.common.lazy import NDArray, np
from edgekit.errors import BadInput, need

Samples: TypeAlias = "NDArray[np.float32]"

#: Seconds of audio read at once.
_BLOCK_SECONDS = 10


@dataclass
class Audio:
    """A sound that is read in pieces, on demand.

    Attributes:
        rate: sample rate of `window`, in Hz. seconds: length (of a file: from its header).
        notes: conversions, for the user ("resampled from 44100 Hz", "downmixed from 2 channels").
    """

    rate: int
    seconds: float
    notes: list[str] = field(default_factory=list)
    _blocks: Iterator[Samples] = field(default_factory=lambda: iter(()), repr=False)
    _buffer: Samples | None = field(default=None, repr=False)
    _start: int = field(default=0, repr=False)
    _ended: bool = field(default=False, repr=False)

    def window(self, start: int, samples: int) -> Samples:
        """Samples [start, start + samples) as float32 in [-1, 1], fewer at the end of the sound.

        Windows may overlap, but none may start before an earlier window: earlier samples are discarded.

        Raises:
            BadInput: the file breaks off, or holds values that are not numbers.
        """
        assert start >= self._start, "what lies before an earlier window is forgotten"
        held = self._buffer if self._buffer is not None else np.zeros(0, np.float32)
        skip = max(0, start - self._start - len(held))  # a gap: samples between the windows
        held, self._start = held[start - self._start :], start
        parts, have = [held], len(held)
        while (skip or have < samples) and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                break
            if not np.isfinite(block).all():
                raise BadInput("the audio holds values that are not numbers (NaN or infinite).")
            skip, block = max(0, skip - len(block)), block[skip:]
            parts.append(block)
            have += len(block)
        self._buffer = np.concatenate(parts) if len(parts) > 1 else held
        return self._buffer[:samples]


def open_audio(sample: Any, rate: int) -> Audio:
    """Audio at `rate`, from a path (any libsndfile format), a float array [samples] at `rate`, or (array, its rate).

    Integer files of any width become float32 in [-1, 1]; several channels are averaged.

    Raises:
        BadInput: no such file, not audio, empty, or an array of another shape or dtype.
        MissingExtra: soundfile or soxr is absent.
    """
    if isinstance(sample, (str, Path)):
        return _open_file(Path(sample), rate)
    array, own = sample if isinstance(sample, tuple) and len(sample) == 2 else (sample, rate)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim not in (1, 2):
        kind = getattr(array, "dtype", type(array).__name__)
        raise BadInput(
            f"expected audio as a path or a float array [samples] or [samples, channels] in [-1, 1], got {kind}."
        )
    if not array.size:
        raise BadInput("the audio is empty: it has no samples.")
    own = _rate(own)
    channels = array.shape[1] if array.ndim == 2 else 1
    blocks = (array[i : i + own * _BLOCK_SECONDS] for i in range(0, len(array), own * _BLOCK_SECONDS))
    return _convert_audio(blocks, own, rate, channels, len(array) / own, [])


def _rate(value: Any) -> int:
    """A sample rate from outside, in Hz. Raises BadInput above a megahertz: another unit or a mistake."""
    try:
        rate = int(value)
    except (TypeError, ValueError, OverflowError):
        rate = 0
    if not 1 <= rate <= 1_000_000 or rate != value:
        raise BadInput(f"the sample rate must be a whole number of hertz, not {value!r}.")
    return rate


def _open_file(path: Path, rate: int) -> Audio:
    with need("run", "Reading audio"):
        import soundfile
    need_file(path)
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as exc:  # TypeError: a headerless .raw has no rate
        known = "WAV, FLAC, OGG, MP3, AIFF and others"
        reason = str(exc).rsplit(": ", 1)[-1].rstrip(".")  # before it comes the path
        raise BadInput(f"{path.name} is not audio that can be read ({known} can): {reason}.") from exc
    if not file.frames:
        raise BadInput(f"{path.name} is empty: it has no samples.")
    notes = ["8-bit samples: expect noise at about -48 dB"] if file.subtype in ("PCM_U8", "PCM_S8") else []

    def blocks() -> Iterator[Samples]:
        with file:
            while True:
                try:
                    block = file.read(file.samplerate * _BLOCK_SECONDS, dtype="float32", always_2d=True)
                except (soundfile.SoundFileError, RuntimeError) as exc:
                    raise BadInput(f"{path.name} breaks off or is damaged: {exc}.") from exc
                if not len(block):
                    return
                yield block

    return _convert_audio(blocks(), file.samplerate, rate, file.channels, file.frames / file.samplerate, notes)


def _convert_audio(
    blocks: Iterator[Samples], own: int, rate: int, channels: int, seconds: float, notes: list[str]
) -> Audio:
    if channels > 1:
        notes.append(f"downmixed from {channels} channels")
        blocks = (block.mean(axis=1) if block.ndim == 2 else block for block in blocks)
    if own != rate:
        notes.append(f"resampled from {own} Hz to {rate} Hz")
        blocks = _resample_blocks(blocks, own, rate)
    return Audio(rate, seconds, notes, _flat(blocks))


def _flat(blocks: Iterator[Samples]) -> Iterator[Samples]:
    for block in blocks:
        yield np.ascontiguousarray(block.reshape(-1), dtype=np.float32)


def _resample_blocks(blocks: Iterator[Samples], own: int, rate: int) -> Iterator[Samples]:
    stream = _resampler(own, rate)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block.reshape(-1), dtype=np.float32))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _resampler(own: int, rate: int) -> Any:
    """SoX's resampler of a stream. Raises BadInput for rates that it does not take."""
    with need("run", "Resampling audio"):
        import soxr
    try:
        return soxr.ResampleStream(own, rate, 1, dtype="float32", quality="HQ")
    except (ValueError, RuntimeError) as exc:
        raise BadInput(f"audio at {own} Hz cannot be resampled to {rate} Hz: {exc}.") from exc


class Converter:
    """Chunks of a stream at any rate and of any width, as float32 mono samples at another rate.

    Args:
        own: of the chunks, in Hz. rate: of the samples, in Hz.

    Raises:
        BadInput: a rate that is none, or that cannot be resampled.
    """

    def __init__(self, own: int, rate: int) -> None:
        own = _rate(own)
        self._stream = _resampler(own, rate) if own != rate else None

    def push(self, chunk: Any) -> Samples:
        """Samples float32 [n] of a chunk [samples] or [samples, channels], see `edgekit.core.Stream.feed`."""
        samples = _as_float(chunk)
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def end(self) -> Samples:
        """What the resampler still holds."""
        empty = np.zeros(0, np.float32)
        return empty if self._stream is None else self._stream.resample_chunk(empty, last=True)


def _as_float(chunk: Any) -> Samples:
    """Mono float32 [samples] in [-1, 1]. Raises BadInput: no such array, or values that are not numbers."""
    if not isinstance(chunk, np.ndarray) or chunk.ndim not in (1, 2) or chunk.dtype.kind not in "fiu":
        kind = getattr(chunk, "dtype", type(chunk).__name__)
        raise BadInput(f"expected a chunk as an array [samples] or [samples, channels], got {kind}.")
    if chunk.dtype.kind == "f":
        samples = chunk.astype(np.float32)
    else:
        half = 2.0 ** (8 * chunk.dtype.itemsize - 1)
        samples = ((chunk.astype(np.float64) - (half if chunk.dtype.kind == "u" else 0)) / half).astype(np.float32)
    if not np.isfinite(samples).all():
        raise BadInput("the chunk holds values that are not numbers (NaN or infinite).")
    return np.ascontiguousarray(samples.mean(axis=1) if samples.ndim == 2 else samples, dtype=np.float32)
