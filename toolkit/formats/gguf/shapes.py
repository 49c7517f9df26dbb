"""Size and memory of a language model, from its shape alone: bytes of its GGUF, of its cache, of its buffers.

The types of tensors follow llama.cpp's own mixtures (``llama_tensor_get_type_impl`` in its llama-quant.cpp): a file of
"Q4_K_M" holds Q4_K, Q6_K where bits are worth more, and other types where a row is not a multiple of 256.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from edgekit.core import Work
from edgekit.formats.gguf.types import GGML_TYPES

#: Bits of a weight, scales included, by ggml's type.
_BITS = {name: 8 * size / weights for name, weights, size in GGML_TYPES.values()}
#: Types of blocks of 32 or of single weights; the others have blocks of 256.
_SMALL = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
#: What llama.cpp takes instead where a row is no multiple of 256.
_INSTEAD = {"q6_k": "q8_0", "q5_k": "q5_1", "q4_k": "q5_0"}
#: Mixtures whose name is not that of the type they mostly hold.
_MOSTLY = {"iq3_m": "iq3_s", "iq3_xs": "iq3_s", "iq2_m": "iq2_s"}
#: Types that llama.cpp lays out anew in memory of its own, beside the mapped file, where the processor has AVX2. (Arm
#: does so with more of them: not measured.)
LAID_OUT = ("q4_0", "q4_k", "iq4_nl")
#: Tokens that llama.cpp computes at once.
_BATCH = 512
#: Vocabulary, merges and chat template, a token; measured on the packaged files (36 to 40).
_TOKENIZER_BYTES = 40


@dataclass(frozen=True)
class Shape:
    """A decoder-only transformer as llama.cpp knows it.

    Attributes:
        architecture: ``general.architecture`` of its GGUF. names: ``model_type`` of its Hugging Face configurations.
        layers, width, feed: of the network. heads, groups: of queries, and of keys and values. head: width of a head.
        vocabulary: rows of the embedding. context: tokens it was trained for.
        output: whether the output has a matrix of its own; else it shares the embedding's.
        window: tokens that five layers of six look back, 0 where all layers see everything.
    """

    architecture: str
    names: tuple[str, ...]
    layers: int
    width: int
    feed: int
    heads: int
    groups: int
    head: int
    vocabulary: int
    context: int
    output: bool = False
    window: int = 0

    @property
    def parameters(self) -> int:
        return sum(rows * columns for _, _, rows, columns in self._matrices()) + self._norms()

    def weights(self, precision: str) -> int:
        """Bytes of its tensors in a file of `precision`."""
        return round(sum(_bits(self, precision).values()) / 8) + 4 * self._norms()

    def works(self, precision: str) -> tuple[Work, ...]:
        """Work of a token that is written, and of a token that is read. Of the embedding a row is read, except where
        it is the output's matrix as well."""
        looked = self.vocabulary * self.width
        skipped = 0
        if self.output:
            skipped = round(looked * _BITS[_type("embedding", 0, self.width, precision, self)] / 8)
        macs = self.parameters - looked * (2 if self.output else 1)  # of a prompt, only the last token is answered
        return (
            Work("network", "generation", macs + looked, reads=self.weights(precision) - skipped),
            Work("network", "prompt", macs),
        )

    def file(self, precision: str) -> int:
        """Bytes of the whole GGUF."""
        return self.weights(precision) + _TOKENIZER_BYTES * self.vocabulary

    def cache(self, context: int, bits: float = 16) -> int:
        """Bytes of keys and values of so many bits. llama.cpp rounds a context up to 256 tokens."""
        tokens = -(-context // 256) * 256
        windowed = self.layers - self.layers // 6 if self.window else 0
        held = (self.layers - windowed) * tokens + windowed * min(tokens, self.window + _BATCH)
        return round(2 * held * self.groups * self.head * bits / 8)

    def laid_out(self, precision: str) -> int:
        """Bytes of the layers' weights that llama.cpp holds twice: as the file has them, and as a processor likes."""
        return round(_bits(self, precision)[True] / 8)

    def buffers(self, context: int) -> int:
        """Bytes for one pass: a token takes three times the feed and four times the width in floats, and a mask."""
        batch = min(_BATCH, context)
        return batch * (4 * (3 * self.feed + 4 * self.width) + 2 * context)

    def _matrices(self) -> Iterator[tuple[str, int, int, int]]:
        """Name, layer, rows and row length of every matrix."""
        yield "embedding", 0, self.vocabulary, self.width
        if self.output:
            yield "output", 0, self.vocabulary, self.width
        queries, keys = self.heads * self.head, self.groups * self.head
        for layer in range(self.layers):
            yield "q", layer, queries, self.width
            yield "k", layer, keys, self.width
            yield "v", layer, keys, self.width
            yield "o", layer, self.width, queries
            yield "gate", layer, self.feed, self.width
            yield "up", layer, self.feed, self.width
            yield "down", layer, self.width, self.feed

    def _norms(self) -> int:
        return (2 * self.layers + 1) * self.width


@cache
def _bits(shape: Shape, precision: str) -> dict[bool, float]:
    """Bits of the weights that llama.cpp holds once (False) and twice (True)."""
    bits = {False: 0.0, True: 0.0}
    for name, layer, rows, columns in shape._matrices():
        kind = _type(name, layer, columns, precision, shape)
        bits[kind in LAID_OUT and name != "embedding"] += rows * columns * _BITS[kind]
    return bits


def _type(name: str, layer: int, columns: int, precision: str, shape: Shape) -> str:
    """ggml's type of one matrix."""
    wanted = _choose_type(name, layer, precision, shape)
    if columns % 256 and wanted not in _SMALL:
        return (
            "q8_0" if name == "output" or (name == "embedding" and not shape.output) else _INSTEAD.get(wanted, "iq4_nl")
        )
    return wanted


def _choose_type(name: str, layer: int, precision: str, shape: Shape) -> str:
    main = _MOSTLY.get(precision, precision.rpartition("_")[0] if "_k_" in precision else precision)
    if _BITS[main] > 8:
        return main
    grouped = shape.heads >= 4 * shape.groups
    if name == "output" or (name == "embedding" and not shape.output):
        return "q5_k" if precision in ("iq3_xxs", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq1_s", "iq1_m") else "q6_k"
    if precision in ("q4_k_m", "q5_k_m") and name in ("v", "down") and _more_bits(layer, shape.layers):
        return "q6_k"
    if precision == "iq4_xs" and name == "v" and grouped:
        return "q5_k"
    if precision == "iq3_xxs":
        return {"embedding": "iq3_s", "v": "q4_k" if grouped else main, "q": "iq2_s", "k": "iq2_s", "o": "iq3_s"}.get(
            name, main
        )
    return main


def _more_bits(layer: int, layers: int) -> bool:
    """llama.cpp's ``use_more_bits``: the first and the last eighth, and every third layer between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
