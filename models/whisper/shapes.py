"""Whisper's sizes and the constants of its frontend. No third-party import: the declarations use these."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.core import Work
from edgekit.models.whisper.alignment import alignment_heads
from edgekit.numerics.layers import Layer, convolution, linear, work

SAMPLE_RATE = 16_000
HOP = 160
N_FFT = 400
#: The window that the model was trained with, in samples and in mel frames.
WINDOW = 30 * SAMPLE_RATE
FRAMES = WINDOW // HOP
#: Share of the encoder's products that int8 leaves in half precision, since their error is large: measured on base (its
#: first layer but for the last product).
_LEFT = 8 / 72


@dataclass(frozen=True)
class Shape:
    """Sizes of one Whisper. `vocabulary` 51864 is English only, 51865 multilingual, 51866 with Cantonese (large-v3).

    `alignment` names the decoder's cross-attention heads that follow the sound, as (layer, head), where a checkpoint
    states them; () if it does not.
    """

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int = 80
    vocabulary: int = 51865
    audio_context: int = 1500
    text_context: int = 448
    alignment: tuple[tuple[int, int], ...] = ()

    @property
    def head(self) -> int:
        return self.width // self.heads

    @property
    def multilingual(self) -> bool:
        return self.vocabulary != 51864

    @property
    def documented_heads(self) -> tuple[tuple[int, int], ...]:
        """The heads that the checkpoint states, or that are published for its size; () if nobody tells."""
        return self.alignment or alignment_heads(self.decoder_layers, self.heads, self.vocabulary)

    @property
    def alignment_heads(self) -> tuple[tuple[int, int], ...]:
        """The heads that words get their times from, in order of layers: `documented_heads`, else all heads of
        the upper half of the decoder."""
        upper = range(self.decoder_layers // 2, self.decoder_layers)
        return tuple(sorted(self.documented_heads)) or tuple(
            (layer, head) for layer in upper for head in range(self.heads)
        )

    @property
    def parameters(self) -> int:
        """Number of weights; the token embedding, which is also the output projection, counts once."""
        c = self.width
        attention, norm, mlp = 4 * c * c + 3 * c, 2 * c, 8 * c * c + 5 * c
        encoder = self.encoder_layers * (attention + mlp + 2 * norm) + norm
        encoder += 3 * c * self.mels + c + 3 * c * c + c + self.audio_context * c
        decoder = self.decoder_layers * (2 * attention + mlp + 3 * norm) + norm
        return encoder + decoder + (self.vocabulary + self.text_context) * c

    def works(self, seconds: float, tokens: int) -> tuple[Work, ...]:
        """Work of a clip in a window of so many seconds, whose text takes so many calls of the decoder, a token each.

        What int8 leaves in half precision was measured. With a scale an output it is the first convolution and a
        product of the encoder, and the positions of the decoder.
        """
        frames, c = round(seconds * SAMPLE_RATE) // HOP, self.width
        positions, bins = frames // 2, N_FFT // 2 + 1
        bank = (Layer(2 * bins * N_FFT, 0, frames, 2 * bins * frames), Layer(bins * self.mels, 0, frames, 0))
        stem = [convolution(self.mels, c, 3, frames), convolution(c, c, 3, positions, before=frames)]
        block = [linear(c, c, positions)] * 4 + [linear(c, 4 * c, positions), linear(4 * c, c, positions)]
        crossed = [linear(c, c, positions)] * (2 * self.decoder_layers)
        scores = positions * positions  # of one head: the exported encoder works on its heads one after another
        # Rows of positions are added, not multiplied; like weights they are halved.
        audio_rows, text_rows = (Layer(rows * c, 0, 0, 0) for rows in (self.audio_context, self.text_context))
        spared = sum(layer.weights for layer in stem) + round(_LEFT * self.encoder_layers * 12 * c * c)
        encoder = work(
            "encoder",
            "attention",
            [*stem, audio_rows, *block * self.encoder_layers, *crossed],
            macs=2 * self.encoder_layers * positions * positions * c,
            held=2 * scores,
            left=audio_rows.weights + spared,
        )
        encoder = replace(encoder, left_rows=audio_rows.weights + stem[0].weights + c * c)
        step = [linear(c, c)] * 6 + [linear(c, 4 * c), linear(4 * c, c)]
        decoder = work(
            "decoder",
            "vector",
            [*step * self.decoder_layers, text_rows, Layer(self.vocabulary * c, 0, 1, self.vocabulary)],
            tokens,
            left=text_rows.weights,
            macs=2 * self.decoder_layers * positions * c,
            held=4 * self.decoder_layers * (positions + self.text_context) * c,
        )
        return work("frontend", "spectrum", bank, quantized=False), encoder, decoder
