"""A BERT as a torch module from tokens to a sentence's vector: the mean over its tokens, of length 1.

Devlin et al. 2019, arXiv:1810.04805; the mean and the length are sentence-transformers' (Reimers and Gurevych 2019,
arXiv:1908.10084). Sentences come alone, so that every token is of the first kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray
from edgekit.models.common.filling import load_tensors
from edgekit.models.sentences.shapes import Shape
from edgekit.numerics.masking import MASKED


class _Layer(nn.Module):
    """Attention and the layer between, each added to what it read and normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.wide, self.narrow = nn.Linear(width, shape.feed), nn.Linear(shape.feed, width)
        self.attended, self.fed = (nn.LayerNorm(width, shape.least) for _ in range(2))
        self._heads = shape.heads

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) * (query.shape[3] ** -0.5) + mask
        mixed = (scores.softmax(3) @ value).transpose(1, 2).flatten(2)
        x = self.attended(x + self.out(mixed))
        normalised: Tensor = self.fed(x + self.narrow(F.gelu(self.wide(x))))
        return normalised

    def _split(self, x: Tensor) -> Tensor:
        """[1, N, width] -> [1, heads, N, width / heads]."""
        return x.reshape(1, -1, self._heads, x.shape[2] // self._heads).transpose(1, 2)


class Bert(nn.Module):
    """``input_ids`` and ``attention_mask`` int64 [1, N] -> ``embedding`` float32 [1, width], of length 1."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(shape.words, shape.width), nn.Embedding(shape.places, shape.width)
        self.kinds = nn.Embedding(2, shape.width)
        self.begun = nn.LayerNorm(shape.width, shape.least)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        real = attention_mask.to(torch.float32)
        mask = (1.0 - real)[:, None, None, :] * MASKED
        x = self.begun(self.words(input_ids) + self.places.weight[: input_ids.shape[1]] + self.kinds.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        weight = real[:, :, None]
        mean = (x * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return F.normalize(mean, dim=1)


def network(tensors: Mapping[str, NDArray[Any]], shape: Shape) -> Bert:
    """The network with the weights of `tensors`, in transformers' names.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(Bert(shape), tensors, "a BERT's of this size", _checkpoint_name)


#: Module -> its name in transformers.
_NAMES = {
    "words": "embeddings.word_embeddings",
    "places": "embeddings.position_embeddings",
    "kinds": "embeddings.token_type_embeddings",
    "begun": "embeddings.LayerNorm",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "attended": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "fed": "output.LayerNorm",
}


def _checkpoint_name(name: str) -> str:
    owner, kind = name.rsplit(".", 1)
    *layer, module = owner.split(".")
    return ".".join((*(("encoder", "layer", layer[1]) if layer else ()), _NAMES[module], kind))
