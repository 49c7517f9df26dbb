"""How well a model predicts a text, and how far it is from a reference: llama-perplexity's two methods, in process.

Perplexity: the text in chunks of `context` tokens, each from an empty cache, with the model's begin token in the first
place where the model wants it; a chunk's second half is scored, so that every scored token has half a context before
it. KL divergence: of the reference's distribution from the model's, at every scored token, D(reference || model) in
nats. The reference's log-probabilities lie in a file in llama-perplexity's own format (``--kl-divergence-base``): 16
bits over the top 16 nats of each row. Source: tools/perplexity in llama.cpp. Where the logits of half a chunk take more
than 64 MB, they are computed a few positions at a time: the library holds them twice, and with a vocabulary of 150,000
tokens that would be 310 MB.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from edgekit.common.files import replacing
from edgekit.common.lazy import NDArray, np
from edgekit.core import Progress
from edgekit.errors import BadInput

if TYPE_CHECKING:
    from edgekit.runtimes.llama_cpp.context import Context, Loaded

_MAGIC = b"_logits_"
_RANGE = 16.0  # nats below the likeliest token; what is further down counts as that far down
#: Positions of a pass, and bytes of logits that are worked on at once: a dozen arrays of that size are made.
_ROWS, _WORKED = 32, 4 << 20
#: Bytes of logits that a pass gives at most, where half a chunk would give more.
LOGITS_AT_ONCE = 64 << 20


@dataclass(frozen=True)
class TextScore:
    """What was measured, by chunk and by token, so that a gate can resample it.

    Attributes:
        nll: float64 [chunks], negative log-likelihood in nats, summed over the scored tokens of a chunk.
        squares: float64 [chunks], its squares, summed likewise. counts: int64 [chunks], scored tokens.
        kld: float64 [tokens], D(reference || model) in nats at each scored token, chunk after chunk; None without base.
        same_top: bool [tokens], whether the likeliest token is the reference's; None without base.
        base_nll: float64 [chunks], `nll` of the reference; None without base.
    """

    nll: NDArray[np.float64]
    squares: NDArray[np.float64]
    counts: NDArray[np.int64]
    kld: NDArray[np.float64] | None = None
    same_top: NDArray[np.bool_] | None = None
    base_nll: NDArray[np.float64] | None = None

    @property
    def perplexity(self) -> float:
        return math.exp(float(self.nll.sum()) / int(self.counts.sum()))

    @property
    def mean_kld(self) -> float:
        return float(self._kld().mean())

    def _kld(self) -> NDArray[np.float64]:
        if self.kld is None:
            raise BadInput("KL divergence was not measured: there is no base.")
        return self.kld


def score(
    runner: Loaded,
    text: str,
    *,
    context: int = 512,
    chunks: int | None = None,
    base: Path | None = None,
    save_base: Path | None = None,
    progress: Progress | None = None,
) -> TextScore:
    """Score `text`.

    Args:
        context: tokens per chunk. chunks: at most so many, the first ones; None: all that are whole.
        base: a file that `save_base` wrote for another model on the same text, context and number of chunks.
        save_base: write this model's log-probabilities there (2 bytes for every token of the vocabulary, at each scored
            position); whole or not at all.

    Raises:
        BadInput: the text has less than two chunks; `base` is damaged, or of another text or vocabulary.
    """
    tokens = runner.tokenize(text)
    count = min(chunks or len(tokens), len(tokens) // context)
    if len(tokens) < 2 * context:
        raise BadInput(
            f"the text has {len(tokens)} tokens; perplexity with a context of {context} needs at least {2 * context}.",
            hint="Give a longer text.",
        )
    chunked = np.array(tokens[: count * context], np.int32).reshape(count, context)
    scored, half = context - 1 - context // 2, context - context // 2
    step = half if 4 * half * runner.vocabulary <= LOGITS_AT_ONCE else min(half, _ROWS)
    nll, squares, base_nll = np.zeros(count), np.zeros(count), np.zeros(count)
    kld, same = np.zeros((count, scored)), np.zeros((count, scored), bool)
    tell = progress or (lambda what, done, total: None)
    with (
        contextlib.closing(runner.context(context, outputs=step, batch=context, ubatch=min(512, context))) as place,
        _reading(base, chunked, runner.vocabulary) as known,
        _writing(save_base, chunked, runner.vocabulary) as out,
    ):
        for i in range(count):
            tell("reading the text", i, count)
            truth = chunked[i, context // 2 + 1 :]
            for start, logits in _logits(place, _set_begin_token(chunked[i], runner), half, step):
                rows = slice(start, min(scored, start + len(logits)))
                logp = log_softmax(logits[: rows.stop - start])
                losses = -logp[np.arange(len(logp)), truth[rows]].astype(np.float64)
                nll[i] += losses.sum()
                squares[i] += (losses**2).sum()
                if out is not None:
                    out.write(_pack(logp))
                if known is not None:
                    reference = _unpack(known, len(logp), runner.vocabulary)
                    base_nll[i] -= reference[np.arange(len(logp)), truth[rows]].sum(dtype=np.float64)
                    kld[i, rows], same[i, rows] = divergence(reference, logp)
    counts = np.full(count, scored, np.int64)
    if base is None:
        return TextScore(nll, squares, counts)
    return TextScore(nll, squares, counts, kld.reshape(-1), same.reshape(-1), base_nll)


def _logits(
    place: Context, tokens: NDArray[np.int32], last: int, step: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(position, logits float32 [n, vocabulary]) over the `last` tokens, which are read `step` at a time.

    A view: it is gone with the next.
    """
    place.clear()
    read, rows = 0, max(1, _WORKED // (4 * place.model.size))
    for done in range(0, last, step):
        end = min(len(tokens), len(tokens) - last + done + step)
        count = min(step, last - done)
        place.decode(tokens[read:end], outputs=count)
        read, logits = end, place.logits(count)
        for start in range(0, count, rows):
            yield done + start, logits[start : start + rows]


def _set_begin_token(chunk: NDArray[np.int32], runner: Loaded) -> NDArray[np.int32]:
    if not runner.begins:
        return chunk
    begun = chunk.copy()
    begun[0] = runner.begin_token
    return begun


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted: NDArray[np.float32] = logits - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
    return shifted


def divergence(
    reference: NDArray[np.float32], logp: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(KL divergence, same likeliest token) of each row of log-probabilities; rarer than e^-16 counts as nothing."""
    weight = np.where(reference > -_RANGE, np.exp(reference), np.float32(0))
    return (weight * (reference - logp)).sum(axis=1, dtype=np.float64), reference.argmax(1) == logp.argmax(1)


# --------------------------------------------------------------------------------------------------- the base's file


def _width(vocabulary: int) -> int:
    """uint16 per row: two floats (scale, least log-probability), then the vocabulary, padded to an even number."""
    return 2 * ((vocabulary + 1) // 2) + 4


def _pack(logp: NDArray[np.float32]) -> bytes:
    top = logp.max(axis=1, keepdims=True)
    least = np.maximum(logp.min(axis=1, keepdims=True), top - np.float32(_RANGE))
    scale = (top - least) / np.float32(65535)
    rows = np.zeros((len(logp), _width(logp.shape[1])), np.uint16)
    rows[:, :4] = np.concatenate([scale, least], axis=1).view(np.uint16)
    steps = np.rint((logp - least) / np.where(scale > 0, scale, np.float32(1)))
    rows[:, 4 : 4 + logp.shape[1]] = np.clip(steps, 0, 65535).astype(np.uint16)
    return rows.tobytes()


def _unpack(file: IO[bytes], rows: int, vocabulary: int) -> NDArray[np.float32]:
    raw = file.read(2 * rows * _width(vocabulary))
    if len(raw) < 2 * rows * _width(vocabulary):
        raise BadInput("the file with the reference's log-probabilities ends too early.", hint="Make it again.")
    packed = np.frombuffer(raw, np.uint16).reshape(rows, -1)
    scale, least = np.hsplit(packed[:, :4].copy().view(np.float32), 2)
    return packed[:, 4 : 4 + vocabulary].astype(np.float32) * scale + least


def _header(chunked: NDArray[np.int32], vocabulary: int) -> bytes:
    count, context = chunked.shape
    return _MAGIC + struct.pack("<Iii", context, vocabulary, count) + chunked.astype("<i4").tobytes()


@contextlib.contextmanager
def _reading(path: Path | None, chunked: NDArray[np.int32], vocabulary: int) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    header = _header(chunked, vocabulary)
    with path.open("rb") as file:
        if file.read(len(header)) != header:
            raise BadInput(
                f"{path.name} holds no log-probabilities of this text in these chunks and this vocabulary.",
                hint="Make it again with the same text, context and number of chunks.",
            )
        yield file


@contextlib.contextmanager
def _writing(path: Path | None, chunked: NDArray[np.int32], vocabulary: int) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    with replacing(path) as fresh, fresh.open("wb") as file:
        file.write(_header(chunked, vocabulary))
        yield file
