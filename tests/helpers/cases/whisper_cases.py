"""Sounds and phrases for the tests of the transcriber."""

from __future__ import annotations

import numpy as np
from helpers.toys.toy_whisper import ToyWhisper
from numpy.typing import NDArray

RATE = 16_000
FACTS = {"least": 15.0, "margin": 4.0, "step": 1.0}


def sound(seconds: float) -> NDArray[np.float32]:
    """Samples that know where they are: 0.1, and in every second one more thousandth."""
    return (0.1 + np.arange(round(seconds * RATE)) // RATE / 1000).astype(np.float32)


def starts(windows: list[NDArray[np.float32]]) -> list[int]:
    """The second in which each window begins."""
    return [round((float(window[0]) - 0.1) * 1000) for window in windows]


class Phrase:
    """Answers of a decoder, written as times and words: `say(0, "one", 2.5)`."""

    def __init__(self, toy: ToyWhisper) -> None:
        self.toy = toy

    def __call__(self, *pieces: float | str) -> list[int]:
        out: list[int] = []
        for piece in pieces:
            out += self.toy.ids(piece) if isinstance(piece, str) else [self.toy.stamp(piece)]
        return out
