"""The importance matrix: for every weight matrix, the mean square of each of its inputs over calibration text.

Quantization errors are then weighed by what they are multiplied with. As llama-imatrix computes it (tools/imatrix in
llama.cpp; the tests compare the two): chunks of 512 tokens, each from an empty cache, with the model's begin token in
the first place where the model wants it; products with fewer than 16 rows are left out. Not here: mixtures of experts.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Progress
from edgekit.errors import BadInput, Unsupported
from edgekit.runtimes.llama_cpp.context import Settings, open_shared_model

CHUNK = 512
_LEAST_ROWS = 16
#: Positions that are computed at once: the logits of a whole chunk over a large vocabulary would be 600 MB.
_SLICE = 128
_F32 = 0


class Tensor(ctypes.Structure):
    """``struct ggml_tensor`` of ggml.h, as far as it is read here."""


Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


def importance(
    file: Path, tokens: Sequence[NDArray[np.int32]], threads: int, most: int | None, progress: Progress
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Run the model on calibration text.

    Args:
        tokens: the texts' tokens; they are joined before they are cut into chunks. most: at most so many chunks, evenly
            spaced through the text; None: all.

    Returns:
        tensor name -> float32 [row length x matrices], mean squares; and how many chunks were read.

    Raises:
        BadInput: less than one chunk of text, or activations that are not finite. Unsupported: a mixture of experts.
    """
    watch = _Squares()
    count = read_through(file, tokens, threads, most, watch, progress)
    return watch.means(), count


def read_through(
    file: Path,
    tokens: Sequence[NDArray[np.int32]],
    threads: int,
    most: int | None,
    watch: Watch,
    progress: Progress,
) -> int:
    """Run the model on calibration text, with `watch` at its products; how many chunks were read.

    Args: as of `importance`. Raises: as `importance`, and what `watch` raises.
    """
    joined = np.concatenate([np.asarray(text, np.int32) for text in tokens]) if tokens else np.zeros(0, np.int32)
    have = len(joined) // CHUNK
    if have < 1:
        raise BadInput(
            f"the calibration text has {len(joined)} tokens; an importance matrix needs at least {CHUNK}.",
            hint="Give more text with --calibration.",
        )
    count = min(have, most or have)
    model = open_shared_model(file)
    watch.begin(model.api)
    begin = model.api.llama_vocab_bos(model.vocabulary) if model.api.llama_vocab_get_add_bos(model.vocabulary) else -1
    with closing(model.context(Settings(CHUNK, threads, _SLICE, _SLICE, _SLICE), watch)) as context:
        for i in range(count):
            progress(watch.what, i, count)
            start = i * have // count * CHUNK
            chunk = joined[start : start + CHUNK].copy()
            if begin >= 0:
                chunk[0] = begin
            context.clear()
            # With the logits of all positions, the last layer computes all of them too.
            for part in np.split(chunk, CHUNK // _SLICE):
                context.decode(part, outputs=_SLICE)
                watch.check()
    return count


class Watch(ABC):
    """Called by the library around every operation; sees what weight matrices are multiplied with.

    Attributes:
        what: is being computed, for the progress.
    """

    what = ""

    def __init__(self) -> None:
        self._product = self._expert_product = -1
        self._failure: BaseException | None = None

    def begin(self, api: Any) -> None:
        """Look up the numbers of the operations, before the library calls."""
        named = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(("ggml_op_name", api._lib))
        operations = {named(number): number for number in range(64)}
        self._product, self._expert_product = operations[b"MUL_MAT"], operations[b"MUL_MAT_ID"]

    def __call__(self, address: int, ask: bool) -> bool:
        tensor = Tensor.from_address(address)
        try:
            if ask:
                return self._is_product(tensor) and self.wants(name_of(tensor), tensor)
            self.collect(name_of(tensor), tensor)
        except BaseException as exc:  # none may pass through the library's C frames (nor Ctrl-C); `check` raises it
            self._failure = self._failure or exc
            return False
        return True

    def check(self) -> None:
        """Raise what went wrong inside of the library's call."""
        if self._failure is not None:
            raise self._failure

    @abstractmethod
    def wants(self, weights: str, product: Tensor) -> bool:
        """Whether the inputs of a product with `weights` are to be collected."""

    @abstractmethod
    def collect(self, weights: str, product: Tensor) -> None:
        """Look at the inputs of a product that is wanted."""

    def _is_product(self, tensor: Tensor) -> bool:
        if tensor.op == self._expert_product:
            raise Unsupported("importance matrices of mixtures of experts are not built yet.")
        if tensor.op != self._product:
            return False
        inputs = tensor.src[1].contents
        return bool(inputs.ne[1] >= _LEAST_ROWS and inputs.type == _F32)


def inputs_of(product: Tensor) -> NDArray[np.float32]:
    """A view of what a product's weights are multiplied with, [.., .., rows, inputs]; gone with the next operation."""
    inputs = product.src[1].contents
    shape, strides = list(inputs.ne)[::-1], list(inputs.nb)[::-1]
    extent = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + strides[-1]
    raw = (ctypes.c_char * extent).from_address(inputs.data)
    return np.ndarray(shape, np.float32, raw, strides=strides)


class _Squares(Watch):
    """Sums of squares, by the weights' names."""

    what = "computing the importance matrix"

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}

    def means(self) -> dict[str, NDArray[np.float32]]:
        means = {name: (sums / self._counts[name]).astype(np.float32) for name, sums in self._sums.items()}
        for name, values in means.items():
            if not np.isfinite(values).all():
                raise BadInput(f"what the weights {name} are multiplied with is not finite; the model is damaged.")
        return means

    def wants(self, weights: str, product: Tensor) -> bool:
        return weights.startswith("blk.")

    def collect(self, weights: str, product: Tensor) -> None:
        values, owner = inputs_of(product), product.src[0].contents
        shape, matrices = values.shape, owner.ne[2] * owner.ne[3]
        sums = self._sums.setdefault(weights, np.zeros(matrices * shape[3]))
        for i, j in np.ndindex(shape[0], shape[1]):
            place = ((i % owner.ne[3]) * owner.ne[2] + j % owner.ne[2]) * shape[3]
            sums[place : place + shape[3]] += np.square(values[i, j]).sum(axis=0)
        rows = shape[0] * shape[1] * shape[2]
        self._counts[weights] = self._counts.get(weights, 0) + rows // matrices


def name_of(product: Tensor) -> str:
    """The weights' name, without the scheduler's marks (``CPU#blk.0.attn_k.weight#0``)."""
    name = bytes(product.src[0].contents.name).decode("utf-8", "replace")
    return name.split("#")[1] if "#" in name else name


def read(file: Path) -> tuple[dict[str, NDArray[np.float32]], int]:
    """What `write` wrote."""
    with np.load(file, allow_pickle=False) as held:
        return {name: held[name] for name in held.files if name != "chunks"}, int(held["chunks"])


def write(file: Path, matrix: Mapping[str, NDArray[np.float32]], chunks: int) -> None:
    """Keep a matrix for the next precision of the same export."""
    fresh = file.with_name(file.stem + ".partial.npz")
    np.savez(fresh, allow_pickle=False, chunks=np.array(chunks), **matrix)
    fresh.replace(file)
