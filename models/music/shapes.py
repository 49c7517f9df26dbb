"""Basic Pitch as shapes, without torch: its windows, its layers and what they cost."""

from __future__ import annotations

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, work

#: Sample rate in Hz; samples of a frame, and of a window.
RATE, FRAME, WINDOW = 22_050, 256, 43_844
#: Frames that a window gives, and of them as many as two windows share; keys; whole frames of a second.
MOMENTS, OVERLAP, KEYS, PER_SECOND = 172, 30, 88, 86
#: Of the constant-Q transform: octaves; bins of an octave; samples of a filter.
_OCTAVES, _BINS, _TAPS = 9, 36, 256
#: Frequencies of the contour; harmonics that are stacked.
_CONTOUR, _HARMONICS = 3 * KEYS, 8
#: Bytes of the graph beside its layers: each octave and each harmonic is written out.
_GRAPH = 50_600


def pitch_work(windows: int) -> tuple[Work, ...]:
    """Work of a sound of so many windows."""
    fine, coarse = MOMENTS * _CONTOUR, MOMENTS * KEYS
    # Every octave has the same filters, on half as many samples as the one above it.
    layers = [Layer(_BINS * _TAPS, 0, MOMENTS, WINDOW + _BINS * MOMENTS)] * 2
    layers.append(Layer(_TAPS, 0, sum(WINDOW >> octave for octave in range(1, _OCTAVES)), 3 * WINDOW // 2))
    again = (_OCTAVES - 1) * 2 * _BINS * _TAPS * MOMENTS
    layers += [
        convolution(_HARMONICS, 8, 3 * 39, fine),
        convolution(_HARMONICS, 32, 25, coarse, before=fine),
        convolution(8, 1, 25, fine),
        convolution(1, 32, 49, coarse, before=fine),
        convolution(32, 1, 21, coarse),
        convolution(33, 1, 9, coarse),
    ]
    return (work("network", "convolution", layers, windows, macs=again, tables=_GRAPH // 4, quantized=False),)
