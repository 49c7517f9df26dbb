"""How far the answers move for what the matrices of a kind lose, by trial: KL divergence for each unit of loss.

A relative error of the output's matrix costs more than that of the queries. So the matrices of every kind (all queries,
all values) are put into a small type, with the others in 8 bits, and a piece of the calibration text is read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Progress
from edgekit.exporters.gguf.importance import CHUNK
from edgekit.exporters.gguf.quantize import quantize
from edgekit.runtimes.llama_cpp.perplexity import divergence, log_softmax
from edgekit.runtimes.llama_cpp.runner import LlamaRunner

#: Chunks that are read in a trial, and the first position whose answer counts.
_CHUNKS, _FROM = 2, 64
#: Positions that are compared at once.
_ROWS = 32
_WIDE = "q8_0"
#: The least sensitivity of a kind, of the mean of all: what cannot be seen in a trial still costs something.
_LEAST = 0.05


class Trial:
    """Tries mixtures of types of the model in `source` on calibration text.

    Args:
        texts: tokens, of which some chunks are read. folder: for files of each trial. importance: for llama.cpp.
    """

    def __init__(
        self, source: Path, texts: Sequence[NDArray[np.int32]], folder: Path, importance: Mapping[str, Floats]
    ) -> None:
        joined = np.concatenate([np.asarray(text, np.int32) for text in texts])
        have = len(joined) // CHUNK
        places = sorted({i * have // _CHUNKS for i in range(min(_CHUNKS, have))})
        self._chunks = [joined[place * CHUNK : (place + 1) * CHUNK] for place in places]
        self._source, self._file, self._importance = source, folder / "trial.gguf", importance
        self._truth = folder / "truth.npy"

    def answers(self, file: Path, threads: int) -> Floats:
        """Log-probabilities at the positions that count, [positions, vocabulary]."""
        runner = LlamaRunner(file, threads)
        return np.concatenate([log_softmax(runner({"tokens": chunk})["logits"][_FROM:]) for chunk in self._chunks])

    def remember(self, threads: int) -> None:
        """Take the source's answers as the truth; kept in a file."""
        np.save(self._truth, self.answers(self._source, threads))

    def divergence(self, types: Mapping[str, str], threads: int) -> float:
        """Mean KL divergence from the truth, in nats a token, of a file with `types` by name."""
        try:
            quantize(self._source, self._file, _WIDE, self._importance, types=types)
            answers, truth = self.answers(self._file, threads), np.load(self._truth, mmap_mode="r")
            starts = range(0, len(answers), _ROWS)
            parts = [divergence(truth[at : at + _ROWS], answers[at : at + _ROWS])[0] for at in starts]
            return float(np.concatenate(parts).mean())
        finally:
            self._file.unlink(missing_ok=True)


def kinds_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Kind ("attn_q") -> the names of its matrices in all layers."""
    own: dict[str, list[str]] = defaultdict(list)
    for name in names:
        own[re.sub(r"^blk\.\d+\.", "", name).removesuffix(".weight")].append(name)
    return dict(own)


def sensitivities(
    trial: Trial, small: Mapping[str, str], losses: Mapping[str, float], threads: int, progress: Progress
) -> dict[str, float]:
    """Matrix -> KL divergence in nats for a unit of its loss, as its kind has it on the average.

    Args:
        small: matrix -> a small type. losses: what each loses in it.
    """
    groups = kinds_of(small)
    progress("reading the text with matrices in few bits", 0, len(groups) + 2)
    trial.remember(threads)
    wide = dict.fromkeys(small, _WIDE)
    base, moved = trial.divergence(wide, threads), dict[str, float]()
    for i, (kind, names) in enumerate(groups.items()):
        progress("reading the text with matrices in few bits", i + 2, len(groups) + 2)
        moved[kind] = max(trial.divergence(wide | {name: small[name] for name in names}, threads) - base, 0.0)
    lost = {kind: sum(losses[name] for name in names) for kind, names in groups.items()}
    least = _LEAST * sum(moved.values()) / max(sum(lost.values()), 1e-30)
    return {name: max(moved[kind] / lost[kind], least) for kind, names in groups.items() for name in names}
