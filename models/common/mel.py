"""Mel filterbanks."""

from __future__ import annotations

from edgekit.common.lazy import NDArray, np


def mel_filters(mels: int, sample_rate: int = 16_000, n_fft: int = 400) -> NDArray[np.float32]:
    """Slaney-style mel filterbank, 0 Hz to half of `sample_rate`, area-normalised, as librosa and the original make it.

    Returns:
        float32 [mels, n_fft // 2 + 1].
    """

    def to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        # Linear below 1 kHz, logarithmic above (M. Slaney, Auditory Toolbox, 1998).
        return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))

    top = 15.0 + 27.0 * np.log(sample_rate / 2 / 1000.0) / np.log(6.4)
    edges = to_hz(np.linspace(0.0, top, mels + 2))
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
