"""From latent frames to samples: VITS's normalising flow in reverse, and its generator.

Kim, Kong and Son 2021, arXiv:2106.06103, section 2.5; the generator is HiFi-GAN's third (Kong, Kim and Bae 2020,
arXiv:2010.05646). Modules bear the names of the original's, so that its weights load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.models.vits.shapes import Shape

#: Slope of a rectifier below zero, and of the last.
_SLOPE, _LAST_SLOPE = 0.1, 0.01


class Waves(nn.Module):
    """Gated convolutions; what each leaves beside is summed."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        c, layers = shape.hidden, range(shape.wave_layers)
        side = shape.wave_taps // 2
        self.in_layers = nn.ModuleList([nn.Conv1d(c, 2 * c, shape.wave_taps, padding=side) for _ in layers])
        self.res_skip_layers = nn.ModuleList([nn.Conv1d(c, 2 * c if i < layers[-1] else c, 1) for i in layers])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        kept = torch.zeros_like(x)
        for into, out in zip(self.in_layers, self.res_skip_layers, strict=True):
            tangent, gate = into(x).chunk(2, 1)
            y = out(torch.tanh(tangent) * torch.sigmoid(gate))
            if y.shape[1] > x.shape[1]:  # the last layer leaves nothing for a next one
                more, y = y.chunk(2, 1)
                x = (x + more) * mask
            kept = kept + y
        return kept * mask


class Coupling(nn.Module):
    """Subtracts from one half of the channels what the other half decides."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        half = shape.hidden // 2
        self.pre, self.post = nn.Conv1d(half, shape.hidden, 1), nn.Conv1d(shape.hidden, half, 1)
        self.enc = Waves(shape)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        kept, moved = x.chunk(2, 1)
        means = self.post(self.enc(self.pre(kept) * mask, mask)) * mask
        return torch.cat([kept, (moved - means) * mask], 1)


class Flow(nn.Module):
    """Couplings in reverse, each behind a flip of the channels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.flows = nn.ModuleDict({str(2 * i): Coupling(shape) for i in range(shape.flows)})

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for coupling in reversed(list(self.flows.values())):
            x = coupling(torch.flip(x, [1]), mask)
        return x


class Residual(nn.Module):
    """Dilated convolutions, each added to what came before."""

    def __init__(self, channels: int, taps: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv1d(channels, channels, taps, dilation=d, padding=d * (taps // 2)) for d in dilations]
        )

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = x + conv(F.leaky_relu(x, _SLOPE))
        return x


class Generator(nn.Module):
    """Upsampling by transposed convolutions, behind each the mean of residual blocks."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        wide, ups, blocks = shape.channels, [], list[nn.Module]()
        self.conv_pre = nn.Conv1d(shape.hidden, wide, 7, padding=3)
        for stride, taps in shape.ups:
            ups.append(nn.ConvTranspose1d(wide, wide // 2, taps, stride, padding=(taps - stride) // 2))
            wide //= 2
            blocks += [Residual(wide, taps, dilations) for taps, dilations in shape.blocks]
        self.ups, self.resblocks = nn.ModuleList(ups), nn.ModuleList(blocks)
        self.conv_post = nn.Conv1d(wide, 1, 7, padding=3, bias=False)
        self._beside = len(shape.blocks)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_pre(x)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, _SLOPE))
            blocks = list(self.resblocks)[i * self._beside : (i + 1) * self._beside]
            total = blocks[0](x)
            for block in blocks[1:]:
                total = total + block(x)
            x = total / self._beside
        return torch.tanh(self.conv_post(F.leaky_relu(x, _LAST_SLOPE)))


class SoundDecoder(nn.Module):
    """``latents`` float32 [1, hidden, frames] and ``mask`` float32 [1, frames] (0 behind the end) -> ``audio`` float32
    [1, frames * hop] from -1 to 1."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.flow, self.dec = Flow(shape), Generator(shape)

    def forward(self, latents: Tensor, mask: Tensor) -> Tensor:
        valid = mask[:, None]
        out: Tensor = self.dec(self.flow(latents, valid) * valid)
        return out[:, 0]
