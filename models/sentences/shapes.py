"""A BERT (Devlin et al. 2019, arXiv:1810.04805) as shapes, without torch: its module and its costs."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core import Work
from edgekit.numerics.layers import Layer, linear, work


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes:
        words: rows of its table of tokens. places: of its table of positions. width: of a token's vector.
        feed: of the layer between. heads, layers: their number. least: added to a variance.
    """

    words: int
    places: int
    width: int
    feed: int
    heads: int
    layers: int
    least: float

    @property
    def parameters(self) -> int:
        """Without the pooler, which a mean over tokens does not use."""
        layer = 4 * self.width * (self.width + 1) + 2 * self.width * self.feed + self.feed + 5 * self.width
        return (self.words + self.places + 2) * self.width + 2 * self.width + self.layers * layer


#: all-MiniLM-L6-v2.
MINILM = Shape(30_522, 512, 384, 1_536, 12, 6, 1e-12)


def bert_work(shape: Shape, tokens: int) -> tuple[Work, ...]:
    """Work of a text of so many tokens."""
    layer = [linear(shape.width, shape.width, tokens)] * 4
    layer += [linear(shape.width, shape.feed, tokens), linear(shape.feed, shape.width, tokens)]
    table = Layer(shape.words * shape.width, 0, 0, 2 * tokens * shape.width)
    # Positions are added, not multiplied: int8 leaves their table in half precision.
    places = Layer(shape.places * shape.width, 0, 0, 0)
    scales = 2 * shape.width * (2 + 2 * shape.layers)
    scores = 2 * shape.layers * tokens * tokens * shape.width
    layers = [table, places, *layer * shape.layers]
    return (work("network", "attention", layers, tables=scales, macs=scores, left=places.weights),)
