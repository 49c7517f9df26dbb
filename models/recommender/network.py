"""Two towers (Covington et al. 2016, doi:10.1145/2959100.2959190): one makes a vector of what a person has liked, one
of an item, and their product says how well these go together. Trained as a choice among all items (Liang et al. 2018,
arXiv:1802.05814).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.common.lazy import NDArray
from edgekit.models.common.filling import load_tensors
from edgekit.models.recommender.shapes import HIDDEN, ITEMS, WIDTH


class PersonTower(nn.Module):
    """``history`` float32 [N, `ITEMS`] -> ``vector`` float32 [N, `WIDTH`].

    An item that was liked has 1 / sqrt(number of liked items), any other 0: rows have the length 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(ITEMS, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, history: Tensor) -> Tensor:
        vector: Tensor = self.second(F.relu(self.first(history)))
        return vector


class ItemTower(nn.Module):
    """Of every item its vector, float32 [`ITEMS`, `WIDTH`]: its own, and what its kinds have in common.

    Args:
        kinds: float32 [`ITEMS`, kinds], 1 where an item is of a kind.
    """

    def __init__(self, kinds: Tensor) -> None:
        super().__init__()
        self.own = nn.Embedding(ITEMS, WIDTH)
        nn.init.normal_(self.own.weight, std=0.05)
        self.shared = nn.Linear(kinds.shape[1], WIDTH)
        self.register_buffer("kinds", kinds)

    def forward(self) -> Tensor:
        vectors: Tensor = self.own.weight + self.shared(self.kinds)
        return vectors


def person_tower(tensors: Mapping[str, NDArray[Any]]) -> PersonTower:
    """The person's tower with its weights.

    Raises:
        BadInput: a tensor is missing or has another shape.
    """
    return load_tensors(PersonTower(), tensors, "two-tower-movielens'", hint="`make train` makes them again.")


def histories(liked: Tensor) -> Tensor:
    """Rows of 0 and 1 at the length 1; a row without any stays 0."""
    scaled: Tensor = liked / torch.sqrt(liked.sum(1, keepdim=True).clamp(min=1.0))
    return scaled
