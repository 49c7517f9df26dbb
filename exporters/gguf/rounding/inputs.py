"""What weight matrices are multiplied with on calibration text: the Hessians X^T X, collected while llama.cpp computes.

So any architecture that llama.cpp runs is rounded by its inputs; no other reference of it is needed. Products that
share their inputs (queries, keys and values) share the Hessian. A wide one is kept as its blocks on the diagonal. They
are stored as files, so that memory holds those of some layers alone, and every precision of an export reads the same.
"""

from __future__ import annotations

import ctypes
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Progress
from edgekit.errors import BadInput
from edgekit.exporters.gguf.importance import Tensor, Watch, inputs_of, read_through
from edgekit.formats.gguf import GgufTensor
from edgekit.runtimes.llama_cpp import room

#: Inputs of a block of a Hessian: the time to invert it grows with the third power.
_WIDEST, _MULTIPLE = 2304, 256
#: Bytes of Hessians that are summed in one reading of the text: a fourth of the memory that is free, at least 1 GiB.
_SHARE, _LEAST = 4, 1 << 30
_INDEX = "index.json"


@dataclass(frozen=True)
class Hessians:
    """Hessians in `folder`. `files`: weights -> where theirs is; `rows`: tokens of each; `chunks`: that were read."""

    folder: Path
    files: Mapping[str, str]
    rows: int
    chunks: int

    def __contains__(self, weights: str) -> bool:
        return weights in self.files

    def __getitem__(self, weights: str) -> list[Floats]:
        """The blocks on the diagonal, [k, k] each, as means over the rows; KeyError for weights that took no part."""
        with np.load(self.folder / self.files[weights], allow_pickle=False) as held:
            return [held[f"arr_{i}"] for i in range(len(held.files))]

    def importance(self) -> dict[str, Floats]:
        """The importance matrix: mean squares of the inputs, by the weights of layers."""
        own: dict[str, Floats] = {}
        for name in self.files:
            if name.startswith("blk."):
                own[name] = np.concatenate([np.diag(block) for block in self[name]]).astype(np.float32)
        return own


def record(
    file: Path,
    matrices: Sequence[GgufTensor],
    tokens: Sequence[NDArray[np.int32]],
    threads: int,
    most: int | None,
    folder: Path,
    progress: Progress,
) -> Hessians:
    """The Hessians of `matrices` on calibration text, kept in `folder`; read from there if it has them.

    Args: as of `edgekit.exporters.gguf.importance.importance`. matrices: tensors of two axes of `file`.

    Raises:
        BadInput: too little text, or activations that are not finite. Unsupported: a mixture of experts.
    """
    index = folder / _INDEX
    if not index.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files, rows, chunks = dict[str, str](), 0, 0
        passes = list(passes_of(matrices, max(_LEAST, (room.available() or 0) // _SHARE)))
        for i, some in enumerate(passes):
            watch = _Products({tensor.name for tensor in some}, i + 1, len(passes))
            chunks = read_through(file, tokens, threads, most, watch, progress)
            files |= watch.store(folder)
            rows = max(rows, watch.rows)
        index.write_text(json.dumps({"files": files, "rows": rows, "chunks": chunks}), encoding="utf-8")
    held = json.loads(index.read_text(encoding="utf-8"))
    return Hessians(folder, held["files"], held["rows"], held["chunks"])


def passes_of(matrices: Sequence[GgufTensor], memory: int) -> Iterator[list[GgufTensor]]:
    """Matrices, in the file's order, whose Hessians take at most `memory` bytes together (at least one of them)."""
    some: list[GgufTensor] = []
    need = 0
    for tensor in matrices:
        own = sum(4 * (end - start) ** 2 for start, end in blocks(tensor.shape[0]))
        if some and need + own > memory:
            yield some
            some, need = [], 0
        some.append(tensor)
        need += own
    if some:
        yield some


def blocks(inputs: int) -> list[tuple[int, int]]:
    """Where the blocks of a Hessian of so many inputs start and end."""
    if inputs <= _WIDEST:
        return [(0, inputs)]
    size = -(-inputs // -(-inputs // _WIDEST))
    size = -(-size // _MULTIPLE) * _MULTIPLE
    return [(start, min(start + size, inputs)) for start in range(0, inputs, size)]


class _Products(Watch):
    """Sums X^T X of the products with `names`; of those with the same inputs, for the first."""

    def __init__(self, names: set[str], number: int, count: int) -> None:
        super().__init__()
        self.what = "reading the calibration text" + (f", {number} of {count}" if count > 1 else "")
        self.rows = 0
        self._names = names
        self._first: dict[int, str] = {}  # address of the inputs, which is its own within a graph -> weights
        self._sharing: dict[str, str] = {}
        self._sums: dict[str, list[Floats]] = {}
        self._counts: dict[str, int] = {}

    def wants(self, weights: str, product: Tensor) -> bool:
        own = product.src[0].contents
        if weights not in self._names or own.ne[2] * own.ne[3] != 1:
            return False
        if weights not in self._sharing:
            address = ctypes.addressof(product.src[1].contents)
            self._sharing[weights] = self._first.setdefault(address, weights)
        return self._sharing[weights] == weights

    def collect(self, weights: str, product: Tensor) -> None:
        values = inputs_of(product)
        rows = np.ascontiguousarray(values).reshape(-1, values.shape[-1])
        places = blocks(rows.shape[1])
        if weights not in self._sums:
            self._sums[weights] = [np.zeros((end - start,) * 2, np.float32) for start, end in places]
        for total, (start, end) in zip(self._sums[weights], places, strict=True):
            part = rows[:, start:end]
            total += part.T @ part
        self._counts[weights] = self._counts.get(weights, 0) + len(rows)
        self.rows = max(self.rows, self._counts[weights])

    def store(self, folder: Path) -> dict[str, str]:
        """Write the means to files; weights -> their file's name."""
        for name, sums in self._sums.items():
            means = [total / np.float32(self._counts[name]) for total in sums]
            if not all(np.isfinite(mean).all() for mean in means):
                raise BadInput(f"what the weights {name} are multiplied with is not finite; the model is damaged.")
            np.savez(folder / f"{name}.npz", *means)
        return {name: f"{first}.npz" for name, first in self._sharing.items() if first in self._sums}
