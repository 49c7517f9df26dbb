"""Sounds as the windows of samples that a network takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Facts, TensorSpec, fact_of
from edgekit.errors import BadInput
from edgekit.tasks.common.audio import open_audio

#: Added to a variance before its root: transformers' own number.
_LEAST = 1e-7


@dataclass(frozen=True)
class Wave:
    """A window: samples float32 [1, N], how many of them are sound, its seconds, whether more follows, and notes."""

    samples: NDArray[np.float32]
    length: int
    seconds: float
    more: bool
    notes: tuple[str, ...]


class Waveforms:
    """Reads sounds by `facts`: ``sample_rate`` (Hz), ``most`` and ``least`` (samples of a window), ``normalise`` (to a
    mean of 0 and a variance of 1)."""

    def __init__(self, facts: Facts) -> None:
        self._rate, self._most, self._least = (fact_of(facts, name, int) for name in ("sample_rate", "most", "least"))
        self._normalise = fact_of(facts, "normalise", bool, False)

    def windows(self, sample: Any, spec: TensorSpec) -> Iterator[Wave]:
        """The windows of a sound for an input `spec`, one after another; filled with zeros if it has a fixed size.

        Raises:
            BadInput: the sound cannot be read, or has fewer samples than the network takes.
        """
        fixed = spec.shape[1]
        most = min(self._most, fixed) if isinstance(fixed, int) else self._most
        audio, start = open_audio(sample, self._rate), 0
        held = audio.window(0, most)
        if len(held) < self._least:
            has, takes = len(held) / self._rate, self._least / self._rate
            raise BadInput(f"the sound has {has:.2f} s; the network takes {takes:.2f} s at least.")
        while len(held) >= (self._least if start else 1):
            values = np.asarray(held, np.float32)
            start += len(held)
            following = audio.window(start, most) if len(held) == most else held[:0]
            if self._normalise:
                values = (values - values.mean()) / np.sqrt(values.var() + _LEAST)
            size = fixed if isinstance(fixed, int) else len(values)
            filled = np.zeros((1, size), np.float32)
            filled[0, : len(values)] = values
            yield Wave(filled, len(values), len(values) / self._rate, bool(len(following)), tuple(audio.notes))
            held = following
