"""Whisper's sizes and the constants of its frontend. No third-party import: the declarations use these."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
HOP = 160
N_FFT = 400
#: The window that the model was trained with, in samples and in mel frames.
WINDOW = 30 * SAMPLE_RATE
FRAMES = WINDOW // HOP


@dataclass(frozen=True)
class Shape:
    """Sizes of one Whisper. `vocabulary` 51865 is multilingual, 51864 English only."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int = 80
    vocabulary: int = 51865
    audio_context: int = 1500
    text_context: int = 448

    @property
    def head(self) -> int:
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """Number of weights; the token embedding, which is also the output projection, counts once."""
        c = self.width
        attention, norm, mlp = 4 * c * c + 3 * c, 2 * c, 8 * c * c + 5 * c
        encoder = self.encoder_layers * (attention + mlp + 2 * norm) + norm
        encoder += 3 * c * self.mels + c + 3 * c * c + c + self.audio_context * c
        decoder = self.decoder_layers * (2 * attention + mlp + 3 * norm) + norm
        return encoder + decoder + (self.vocabulary + self.text_context) * c
