"""openWakeWord's networks as shapes, without torch: what the modules are built of and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

HOP, BINS, TRANSFORM = 160, 257, 512
#: Bins that a filter takes, and samples under the window: what the exported table holds.
_USED, _TAPS = 120, 400
#: Of the embedding: channels of a stage, kernels (time, channel) of its convolutions, and what is pooled after it.
_PAIR = ((1, 3), (3, 1))
STAGES = (
    (24, ((3, 3), *_PAIR), (2, 2)), (48, _PAIR * 2, (1, 2)), (72, _PAIR * 2, (2, 2)), (96, _PAIR * 2, (1, 2)),
    (96, _PAIR * 2, (2, 2)), (96, ((3, 1),), None),
)  # fmt: skip
#: Widths of the networks that hear a phrase, and that check the answer.
HEAD = (128, 64)


@dataclass(frozen=True)
class OpenSettings:
    """What flows between the parts.

    Attributes:
        rate, samples, hop: sample rate in Hz; samples in a call of the frontend, and from one call to the next.
        step, mels: spectrogram frames that a call gives, of so many mel channels.
        frames, features: frames that an embedding looks at (newest last), and its numbers.
        embeddings: how many of them the last network looks at.
    """

    rate: int = 16_000
    samples: int = 1760
    hop: int = 1280
    step: int = 8
    mels: int = 32
    frames: int = 76
    features: int = 96
    embeddings: int = 16


def openwakeword_work(shape: OpenSettings, calls: int) -> tuple[Work, ...]:
    """Of a sound of so many hops."""
    table = (
        Layer(2 * _USED * _TAPS, 0, shape.step, 2 * _USED * shape.step),
        Layer(_USED * shape.mels, 0, shape.step, (_USED + shape.mels) * shape.step),
    )
    layers, time, mels, width = [], shape.frames, shape.mels, 1
    for channels, kernels, pool in STAGES:
        for high, wide in kernels:
            before, time = time * mels, time - high + 1
            layers.append(convolution(width, channels, high * wide, time * mels, before=before))
            width = channels
        time, mels = (time // pool[0], mels // pool[1]) if pool else (time, mels)
    heard = shape.embeddings * shape.features
    head = [layer for wide in HEAD for layer in (linear(heard, wide), linear(wide, wide), linear(wide, 1))]
    norms = 4 * sum(HEAD)
    return (
        work("frontend", "spectrum", table, calls, quantized=False),
        # Its first layer has one channel in and stays float in int8.
        work("embedding", "convolution", layers, calls, left=layers[0].weights),
        work("head", "vector", head, calls, tables=norms),
    )


#: The files of the package that all phrases share.
MELS, EMBEDDING = "melspectrogram.tflite", "embedding_model.tflite"


@dataclass(frozen=True)
class OpenRules:
    """From probabilities to events. The package leaves both numbers to its user; 0.5 is its command line's default.

    Attributes:
        cutoff: the probability that must be reached.
        refractory: calls after an event in which none can follow; in 25, its sound has left what the networks see.
    """

    cutoff: float = 0.5
    refractory: int = 25
