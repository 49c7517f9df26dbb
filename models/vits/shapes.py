"""VITS as shapes, without torch: its sizes, its weights and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgekit.core import Work
from edgekit.numerics.layers import Layer, convolution, work

#: Of the stochastic durations: layers of a separable convolution, taps, bins of a spline, flows that run in reverse
#: (of four the first is of no use then).
STACK, TAPS, BINS, DURATION_FLOWS = 3, 3, 10, (3, 5, 7)


@dataclass(frozen=True)
class Shape:
    """Sizes of a voice.

    Attributes:
        symbols: of the table of phonemes. hidden: channels of the text and of the latent frames. inner: of a
            feed-forward layer, whose taps are `taps`. window: distance up to which attention knows positions.
        flows: coupling layers, each of `wave_layers` gated convolutions of `wave_taps` taps.
        channels: of the generator before its first upsampling; each upsampling halves them. ups: (stride, taps) of
            each. blocks: (taps, dilations) of the residual blocks behind each upsampling.
    """

    symbols: int = 256
    hidden: int = 192
    inner: int = 768
    heads: int = 2
    layers: int = 6
    taps: int = 3
    window: int = 4
    flows: int = 4
    wave_layers: int = 4
    wave_taps: int = 5
    channels: int = 256
    ups: tuple[tuple[int, int], ...] = ((8, 16), (8, 16), (4, 8))
    blocks: tuple[tuple[int, tuple[int, ...]], ...] = ((3, (1, 2)), (5, (2, 6)), (7, (3, 12)))

    @property
    def hop(self) -> int:
        """Samples of a latent frame."""
        return prod(stride for stride, _ in self.ups)

    @property
    def parameters(self) -> int:
        """Number of weights and biases that speaking needs."""
        return sum(work.weights + work.channels + work.tables for work in self.works(1, 1))

    def works(self, phonemes: int, frames: int, calls: float = 1) -> tuple[Work, ...]:
        """Work of a sentence of so many ids of phonemes and latent frames, for each part; and `calls` sentences."""
        return self._encoder(phonemes, calls), self._decoder(frames, calls)

    def _encoder(self, n: int, calls: float) -> Work:
        c = self.hidden
        layer = [convolution(c, c, 1, n)] * 4
        layer += [convolution(c, self.inner, self.taps, n), convolution(self.inner, c, self.taps, n)]
        stack = [convolution(c, c, TAPS, n, groups=c), convolution(c, c, 1, n)] * STACK
        spline = [convolution(1, c, 1, n), *stack, convolution(c, 3 * BINS - 1, 1, n)]
        durations = [convolution(c, c, 1, n), *stack, convolution(c, c, 1, n), *spline * len(DURATION_FLOWS)]
        norms = 4 * c * self.layers + 4 * c * STACK * (1 + len(DURATION_FLOWS))
        relative = 2 * self.layers * (2 * self.window + 1) * (c // self.heads)
        return work(
            "encoder",
            "attention",
            [Layer(self.symbols * c, 0, 0, c * n), *layer * self.layers, convolution(c, 2 * c, 1, n), *durations],
            calls,
            macs=2 * self.layers * n * n * c,
            held=2 * self.heads * n * n,
            tables=norms + relative + 4,
        )

    def _decoder(self, frames: int, calls: float) -> Work:
        c, half = self.hidden, self.hidden // 2
        coupling = [convolution(half, c, 1, frames), convolution(c, half, 1, frames)]
        for layer in range(self.wave_layers):
            last = layer == self.wave_layers - 1
            coupling += [convolution(c, 2 * c, self.wave_taps, frames), convolution(c, c if last else 2 * c, 1, frames)]
        layers = [*coupling * self.flows, convolution(c, self.channels, 7, frames)]
        wide, steps = self.channels, frames
        for stride, taps in self.ups:
            # Of a transposed convolution each weight meets each input once.
            layers.append(Layer(wide * (wide // 2) * taps, wide // 2, steps, wide * steps + wide // 2 * steps * stride))
            wide, steps = wide // 2, steps * stride
            layers += [convolution(wide, wide, taps, steps) for taps, dilations in self.blocks for _ in dilations]
        layers.append(Layer(7 * wide, 0, steps, (wide + 1) * steps))
        return work("decoder", "convolution", layers, calls, held=4 * wide * steps)


#: Of Piper's voices of medium quality.
MEDIUM = Shape()
