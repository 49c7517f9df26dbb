"""Four networks that nobody declared, small: a sentence encoder, a vision transformer, a U-Net, a recurrent network.

Each is (module, inputs by name for a few calls, names of its outputs), as whoever brings one has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.core import Feeds, Part, TensorSpec

Stranger = tuple[nn.Module, list[dict[str, NDArray[Any]]], tuple[str, ...]]
CALLS = 10


class Sentences(nn.Module):
    """Mean pooling and unit length behind a BERT, as sentence-transformers has it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.m = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.m(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return F.normalize((states * weights).sum(1) / weights.sum(1).clamp(min=1e-9), dim=-1)


def sentences() -> Stranger:
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=32, initializer_range=0.2,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    feeds = [
        {
            "input_ids": rng.integers(2, 99, (1, 16)),
            "attention_mask": (np.arange(16) < 8 + i % 9).astype(np.int64)[None],
        }
        for i in range(CALLS)
    ]
    return Sentences(transformers.BertModel(config)), feeds, ("embedding",)


class Pixels(nn.Module):
    """A vision transformer that takes bytes as a camera gives them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.m = model

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.m(pixel_values=(pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).logits
        return out


def vision() -> Stranger:
    import transformers

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8,
        num_labels=10, initializer_range=0.2,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    feeds = [{"pixels": rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)} for _ in range(CALLS)]
    return Pixels(transformers.ViTForImageClassification(config)), feeds, ("logits",)


class UNet(nn.Module):
    """Down twice, up once by interpolation and once by a transposed convolution."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()

        def block(taken: int, given: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(taken, given, 3, padding=1), nn.BatchNorm2d(given), nn.ReLU())

        self.first, self.second, self.third = block(3, width), block(width, 2 * width), block(2 * width, 4 * width)
        self.up, self.fourth = nn.Upsample(scale_factor=2, mode="bilinear"), block(6 * width, 2 * width)
        self.transposed, self.fifth = nn.ConvTranspose2d(2 * width, width, 2, stride=2), block(2 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.first(image)
        second = self.second(F.max_pool2d(first, 2))
        x = self.fourth(torch.cat([self.up(self.third(F.max_pool2d(second, 2))), second], 1))
        return torch.sigmoid(self.out(self.fifth(torch.cat([self.transposed(x), first], 1))))


def unet() -> Stranger:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    return UNet(), [{"image": rng.standard_normal((1, 3, 32, 32)).astype(np.float32)} for _ in range(CALLS)], ("mask",)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(20, 48, 2, batch_first=True), nn.Linear(48, 10)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.out(self.gru(features)[0][:, -1])
        return out


def recurrent() -> Stranger:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    feeds = [{"features": rng.standard_normal((1, 3, 20)).astype(np.float32)} for _ in range(CALLS)]
    return Recurrent(), feeds, ("scores",)


STRANGERS: Mapping[str, Callable[[], Stranger]] = {
    "sentences": sentences, "vision": vision, "u-net": unet, "gru": recurrent,
}  # fmt: skip


def part_of(stranger: Stranger) -> tuple[Part, Sequence[tuple[Feeds, Mapping[str, NDArray[Any]]]]]:
    """The network as a part, and its fp32 answers to its calls."""
    module, feeds, names = stranger
    module.eval()
    with torch.no_grad():
        made = [module(*map(torch.from_numpy, feed.values())) for feed in feeds]
    answers = [dict(zip(names, out if isinstance(out, tuple) else (out,), strict=True)) for out in made]
    given, told = (tuple(_spec(name, value) for name, value in one.items()) for one in (feeds[0], answers[0]))
    calls = [(feed, {n: v.numpy() for n, v in answer.items()}) for feed, answer in zip(feeds, answers, strict=True)]
    return Part("network", given, told, {}, lambda checkpoint: module), calls


def _spec(name: str, value: Any) -> TensorSpec:
    return TensorSpec(name, str(value.dtype).removeprefix("torch."), tuple(value.shape))
