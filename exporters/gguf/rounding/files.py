"""One .gguf of 16 bits -> another with matrices rounded by their inputs, no larger than llama.cpp's own of its name."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TypeVar

from edgekit.common.lazy import Floats, NDArray, np
from edgekit.core import Progress
from edgekit.exporters.gguf.census import Rounding
from edgekit.exporters.gguf.quantize import quantize
from edgekit.exporters.gguf.rounding.inputs import Hessians
from edgekit.exporters.gguf.rounding.matrices import Curvature, nearest, round_matrix
from edgekit.exporters.gguf.rounding.sensitivities import Trial, sensitivities
from edgekit.formats import gguf
from edgekit.formats.gguf import Gguf, GgufTensor
from edgekit.formats.gguf.blocks import BLOCKS, row_bytes
from edgekit.quantization.allocation import Choice, allocate

_Made = TypeVar("_Made")

#: Precisions that mix types: their bytes are a budget, and every matrix gets a type of its own.
MIXED = ("q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "iq4_nl", "iq4_xs")
#: Those that are rounded by inputs. Smaller types have grids of their own kind; in the others, every weight's type is
#: what the precision's name says.
ROUNDED = (*MIXED, "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
_CHOICES = {256: ("iq4_xs", "q4_k", "q5_k", "q6_k", "q8_0"), 32: ("iq4_nl", "q4_1", "q5_0", "q5_1", "q8_0")}
#: Rows of a matrix whose loss stands for all, evenly spaced; and rows that are worked on at once, to stay in the cache.
_SAMPLE, _ROWS = 64, 2048
_KEPT = "choices.json"
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"


@dataclass(frozen=True)
class _Job:
    """What is rounded: `source` and `plain`, which llama.cpp made of it, with their headers; the weights' Hessians."""

    source: Path
    header: Gguf
    plain: Gguf
    hessians: Hessians

    def matrices(self) -> list[GgufTensor]:
        """Tensors of `plain` that are rounded here."""
        own = {tensor.name: tensor for tensor in self.header.tensors}
        return [
            tensor
            for tensor in self.plain.tensors
            if tensor.type in BLOCKS and tensor.name in self.hessians and own[tensor.name].type in _READERS
        ]

    def groups(self) -> list[list[GgufTensor]]:
        """The matrices, those with the same inputs together."""
        own: dict[str, list[GgufTensor]] = {}
        for tensor in self.matrices():
            own.setdefault(self.hessians.files[tensor.name], []).append(tensor)
        return list(own.values())

    def curvature(self, name: str) -> Curvature:
        """Of a matrix, and of those of its group."""
        tied = name == _EMBEDDING and all(tensor.name != _OUTPUT for tensor in self.plain.tensors)
        return Curvature.of(self.hessians[name], self.hessians.rows, looked_up=tied)


def round_file(
    source: Path,
    out: Path,
    precision: str,
    hessians: Hessians,
    texts: Sequence[NDArray[np.int32]],
    threads: int,
    progress: Progress,
) -> Rounding:
    """Write `source` in `precision` to `out`; whole or not at all.

    Args:
        source: a whole .gguf of 16 or 32 bits. precision: of `ROUNDED`. texts: tokens for calibration.

    Raises:
        ExportFailed: llama.cpp refused. BadInput: weights that are not finite.
    """
    importance, plain = hessians.importance(), out.with_name(out.name + ".plain")
    fresh = out.with_name(out.name + ".rounding")
    try:
        progress(f"quantizing to {precision}", 0, 0)
        quantize(source, plain, precision, importance)
        job = _Job(source, gguf.read(source), gguf.read(plain), hessians)
        trial = Trial(source, texts, hessians.folder, importance)
        kinds = _kinds(job, precision, trial, threads, progress)
        if any(kinds[tensor.name] != tensor.type for tensor in job.matrices()):
            quantize(source, fresh, precision, importance, types=kinds)
        else:
            plain.replace(fresh)
        errors = _fill(job, fresh, threads, progress)
        size = gguf.read(fresh).size
        fresh.replace(out)
    finally:
        plain.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
    how, own = "the inputs of each matrix (GPTQ)", job.plain.size
    return Rounding(
        by=how, chunks=hessians.chunks, tokens=hessians.rows, bytes=size, bytes_of_llama_cpp=own, errors=errors
    )


def _kinds(job: _Job, precision: str, trial: Trial, threads: int, progress: Progress) -> dict[str, str]:
    """The type of every matrix of the file."""
    kinds = {tensor.name: tensor.type for tensor in job.plain.tensors if len(tensor.shape) > 1}
    if precision not in MIXED:
        return kinds
    kept = job.hessians.folder / _KEPT
    if not kept.is_file():  # the next precision of an export reads the same
        known = _choices(job, trial, threads, progress)
        kept.write_text(json.dumps({name: [astuple(one) for one in own] for name, own in known.items()}))
    held = json.loads(kept.read_text(encoding="utf-8"))
    sizes = {tensor.name: tensor.size for tensor in job.matrices() if tensor.name in held}
    chosen = allocate({name: [Choice(*one) for one in held[name]] for name in sizes}, sum(sizes.values()))
    return kinds | {name: choice.kind for name, choice in chosen.items()}


def _choices(job: _Job, trial: Trial, threads: int, progress: Progress) -> dict[str, list[Choice]]:
    """Matrix -> the types it could have, with losses in nats a token."""
    with _Weights(job.source, job.header) as weights:

        def own(tensor: GgufTensor, curvature: Curvature) -> list[Choice]:
            inputs, rows = tensor.shape
            some = weights.rows(tensor.name, np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(int)))
            power = max(float(curvature.losses(some.T).sum()), 1e-30)
            losses = {
                kind: float(curvature.losses((nearest(kind, some, curvature).weights() - some).T).sum()) / power
                for kind in _CHOICES[256 if inputs % 256 == 0 else 32]
            }
            return [Choice(kind, loss, row_bytes(kind, inputs) * rows) for kind, loss in losses.items()]

        known = _each(job, own, threads, progress, "measuring types of matrices")
    small = {name: some[0].kind for name, some in known.items()}
    costs = sensitivities(trial, small, {name: some[0].loss for name, some in known.items()}, threads, progress)
    return {name: [replace(one, loss=one.loss * costs[name]) for one in some] for name, some in known.items()}


def _fill(job: _Job, file: Path, threads: int, progress: Progress) -> dict[str, float]:
    """Overwrite the matrices of `file`; matrix -> its error."""
    targets = {tensor.name: tensor for tensor in gguf.read(file).tensors}
    with (
        _Weights(job.source, job.header) as weights,
        file.open("r+b") as opened,
        mmap.mmap(opened.fileno(), 0) as content,
    ):

        def fill(tensor: GgufTensor, curvature: Curvature) -> float:
            target, lost, power = targets[tensor.name], 0.0, 0.0
            step = row_bytes(target.type, target.shape[0])
            for start in range(0, target.shape[1], _ROWS):
                some = weights.rows(tensor.name, slice(start, start + _ROWS))
                made = round_matrix(target.type, some, curvature)
                place = target.offset + start * step
                content[place : place + len(some) * step] = made.bytes().tobytes()
                lost += float(curvature.losses((made.weights() - some).T).sum())
                power += float(curvature.losses(some.T).sum())
            return round((lost / power) ** 0.5 if power else 0.0, 6)

        errors = _each(job, fill, threads, progress, "rounding matrices")
        content.flush()
    return errors


def _each(
    job: _Job, work: Callable[[GgufTensor, Curvature], _Made], threads: int, progress: Progress, what: str
) -> dict[str, _Made]:
    """Matrix -> what `work` makes of it, on threads: NumPy computes outside of Python's lock."""
    groups, made = job.groups(), dict[str, _Made]()

    def together(group: list[GgufTensor]) -> dict[str, _Made]:
        curvature = job.curvature(group[0].name)
        return {tensor.name: work(tensor, curvature) for tensor in group}

    with ThreadPoolExecutor(threads) as pool:
        try:
            for i, some in enumerate(pool.map(together, groups)):
                progress(what, i, len(groups))
                made |= some
        except BaseException:  # Ctrl-C, too: what has not begun does not begin
            pool.shutdown(cancel_futures=True)
            raise
    return made


_READERS: Mapping[str, Callable[[bytes], Floats]] = {
    "f32": lambda raw: np.frombuffer(raw, np.float32),
    "f16": lambda raw: np.frombuffer(raw, np.float16).astype(np.float32),
    "bf16": lambda raw: (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32),
}


class _Weights:
    """The weights of a file, some rows at a time."""

    def __init__(self, file: Path, header: Gguf) -> None:
        self._tensors = {tensor.name: tensor for tensor in header.tensors}
        self._file = file

    def __enter__(self) -> _Weights:
        self._raw: NDArray[np.uint8] = np.memmap(self._file, np.uint8, "r")
        return self

    def __exit__(self, *error: object) -> None:
        del self._raw

    def rows(self, name: str, places: slice | NDArray[np.int_]) -> Floats:
        """Float32 [rows, inputs] of a matrix."""
        tensor = self._tensors[name]
        own = self._raw[tensor.offset : tensor.offset + tensor.size].reshape(tensor.shape[1], -1)[places]
        return _READERS[tensor.type](own.tobytes()).reshape(len(own), -1)
