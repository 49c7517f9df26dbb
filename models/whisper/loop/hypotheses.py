"""Token sequences about windows of sound, with the caches of the decoder: the only caller of the ``decoder`` part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Runner
from edgekit.errors import BadInput

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """The encoder's output for windows of the same length, one behind the other along the first axis of each array.

    Attributes:
        seconds: length of a window. blanks: entries of the decoder's caches before the first token, which it ignores.
        count: number of windows.
    """

    cross: Mapping[str, NDArray[Any]]
    seconds: float
    blanks: int = 0
    count: int = 1

    def between(self, first: int, last: int) -> Windows:
        """The windows from `first` to before `last`; nothing is copied."""
        cross = {}
        for name, array in self.cross.items():
            heads = len(array) // self.count
            cross[name] = array[first * heads : last * heads]
        return Windows(cross, self.seconds, self.blanks, last - first)


class Hypotheses:
    """Growing token sequences and their self-attention caches: a set about one window, or one about each of several."""

    def __init__(self, decoder: Runner, windows: Windows) -> None:
        self._decoder = decoder
        #: The encoder's output that they are about.
        self.windows = windows
        self._queries: NDArray[Any] | None = None
        self._past: dict[str, NDArray[Any]] = {
            spec.name: np.zeros([windows.count, int(spec.shape[1]), windows.blanks, int(spec.shape[3])], np.float32)
            for spec in decoder.inputs
            if spec.name.startswith("past_")
        }

    def step(self, tokens: Sequence[Sequence[int]], select: Sequence[int]) -> Logits:
        """Append tokens [B, L]; logits float32 [B, len(select), vocabulary] at positions `select` of the new ones."""
        feeds = {
            "tokens": np.array(tokens, np.int64),
            "select": np.array(select, np.int64),
            **self._past,
            **self.windows.cross,
        }
        out = self._decoder(feeds)
        self._past = {
            name.replace("present_", "past_"): array for name, array in out.items() if name.startswith("present_")
        }
        self._queries = out.get("alignment_queries")
        return out["logits"]

    def queries(self, row: int) -> list[NDArray[Any]]:
        """The alignment queries [A, D] of a sequence's newest token; none if the decoder gives none."""
        return [] if self._queries is None else [self._queries[:, row, -1]]

    def read(self, tokens: Sequence[int]) -> tuple[Logits, NDArray[Any]]:
        """Read a whole text from the beginning of the window, beside what this one holds.

        Returns:
            Logits [L, vocabulary] after each token, and the alignment queries [A, L, D] of each token.

        Raises:
            BadInput: the decoder gives no queries: it was exported by edgekit 0.1.
        """
        fresh = Hypotheses(self._decoder, self.windows)
        logits = fresh.step([tokens], range(len(tokens)))[0]
        if fresh._queries is None:
            raise BadInput("this bundle cannot tell the times of words.", hint="Export it again with this version.")
        return logits, fresh._queries[:, 0]

    def keys(self, heads: Sequence[Sequence[int]]) -> NDArray[Any]:
        """The cross-attention keys of (layer, head) pairs, [A, D, T]."""
        return np.stack([self.windows.cross[f"cross_key_{layer}"][head] for layer, head in heads])

    @property
    def length(self) -> int:
        """How many tokens have been fed."""
        past = next((array for name, array in self._past.items() if "key" in name), None)
        return 0 if past is None else int(past.shape[2]) - self.windows.blanks

    @property
    def positions(self) -> int:
        """How many positions the encoder gave."""
        return int(self.windows.cross["cross_key_0"].shape[2])

    def keep(self, rows: Sequence[int]) -> None:
        """Continue from these hypotheses, in this order; a hypothesis may be named several times."""
        if list(rows) != list(range(next(iter(self._past.values())).shape[0])):
            self._past = {name: array[list(rows)] for name, array in self._past.items()}

    def copy(self) -> Hypotheses:
        """The same state, to continue differently; arrays are never written in place, so they are shared."""
        other = object.__new__(Hypotheses)
        other._decoder, other.windows = self._decoder, self.windows
        other._past, other._queries = dict(self._past), self._queries
        return other

    def between(self, first: int, last: int) -> Hypotheses:
        """The windows from `first` to before `last`, of which each has one sequence; shared as in `copy`."""
        other = self.copy()
        other.windows, other._queries = self.windows.between(first, last), None
        other._past = {name: array[first:last] for name, array in self._past.items()}
        return other
