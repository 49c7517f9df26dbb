"""Running a .pte with ExecuTorch's own runtime on the processor.

The runtime is loaded from its extension module: the package's public names bring the whole compiler along, which takes
seconds and hundreds of megabytes. It follows what a file says unchecked and ends the process over a damaged one, so a
file must be the one that its description tells the hash of, and pass our own reader.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.documents import read_json
from edgekit.common.lazy import NDArray
from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput, CannotRun, need
from edgekit.formats.descriptions import parse_specs, records_of, refuse_damage
from edgekit.formats.executorch import arguments, reader
from edgekit.runtimes.common.feeds import checked_feeds, first_line

_RETRY = "Export it again."


def describe(content: bytes, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], most: dict[str, int]) -> str:
    """The text of a part's description, which `load` reads: a .pte has no names for its tensors and axes.

    Args:
        most: dynamic axis -> its upper bound, which the program has memory for.
    """
    facts = {
        "sha256": hashlib.sha256(content).hexdigest(),
        **records_of(inputs, outputs),
        "most": most,
    }
    return json.dumps(facts, indent=1) + "\n"


def load(file: Path, threads: int) -> ExecutorchRunner:
    """Open a .pte with the description beside it.

    Raises:
        BadInput: one of them is not there or damaged, or the file is another than described.
    """
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise CannotRun(f"ExecuTorch refuses {file.name}: {exc.strerror}.") from exc
    inputs, outputs, most, told = _read_description(file.with_suffix(".json"))
    if hashlib.sha256(content).hexdigest() != told:
        raise BadInput(f"{file.name} is not the program that its description is of: it is damaged.", hint=_RETRY)
    return ExecutorchRunner(content, threads, (inputs, outputs), most, file.name)


def _read_description(file: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], dict[str, int], str]:
    with refuse_damage(f"{file.name}, the description of a part, cannot be read."):
        facts = read_json(file)
        return *parse_specs(facts), {str(name): int(size) for name, size in facts["most"].items()}, str(facts["sha256"])


class _Pool:
    """The runtime has one pool of threads for the process; a program that was loaded with another one crashes."""

    threads = 0
    made = 0


class ExecutorchRunner(Runner):
    """One loaded program.

    Args:
        content: the file's bytes. threads: of the process's pool while this one runs.
        specs: names, dtypes and shapes of inputs and outputs, in the program's order.
        most: dynamic axis -> upper bound.

    Raises:
        BadInput: the runtime refuses the program, or it has other tensors than `specs`. MissingExtra: no executorch.
    """

    def __init__(
        self,
        content: bytes,
        threads: int,
        specs: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]],
        most: dict[str, int],
        what: str = "the program",
    ) -> None:
        with need("executorch", "Running an ExecuTorch program"), quiet():
            import torch
            from executorch.extension.pybindings import _C
        self._torch, self._runtime = torch, _C
        self.inputs, self.outputs = specs
        # The runtime reads the bytes where they are, for as long as the program lives.
        self._content, self._threads, self._most, self._what = content, max(1, threads), most, what
        program = reader.read(content)
        arguments.check(program.calls)
        self._compare(program)
        self._open()

    def _open(self) -> None:
        try:
            with quiet():
                if _Pool.threads != self._threads:
                    self._runtime._unsafe_reset_threadpool(self._threads)
                    _Pool.threads = self._threads
                    _Pool.made += 1
                self._pool = _Pool.made
                self._program = self._runtime._load_for_executorch_from_buffer(self._content)
        except RuntimeError as exc:
            raise CannotRun(f"ExecuTorch refuses {self._what}: {first_line(exc)}", hint=_RETRY) from exc

    def _compare(self, program: reader.Program) -> None:
        for side, specs, found in (
            ("inputs", self.inputs, program.inputs),
            ("outputs", self.outputs, program.outputs),
        ):
            if len(specs) != len(found):
                raise BadInput(f"{self._what} has {len(found)} {side}; its description has {len(specs)}.", hint=_RETRY)
            for spec, tensor in zip(specs, found, strict=True):
                bounds = tuple(self._most.get(axis, -1) if isinstance(axis, str) else axis for axis in spec.shape)
                same = len(tensor.shape) == len(bounds) and all(
                    bound in (-1, size) for size, bound in zip(tensor.shape, bounds, strict=True)
                )
                if not same or tensor.dtype != spec.dtype:
                    raise BadInput(
                        f"{self._what}: {spec.name!r} is {tensor.dtype} {list(tensor.shape)} there, and {spec.dtype} "
                        f"{list(bounds)} in its description.",
                        hint=_RETRY,
                    )

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Raises BadInput for a missing input or one of another dtype or shape."""
        arrays = checked_feeds("ExecuTorch", self.inputs, feeds, self._most)
        values = [self._torch.from_numpy(one if one.flags.writeable else one.copy()) for one in arrays]
        if self._pool != _Pool.made:
            self._open()  # the pool that this one was loaded with is gone
        try:
            out = self._program.forward(values)
        except RuntimeError as exc:
            self._open()  # what failed half-way may not be used again
            raise CannotRun(f"ExecuTorch could not run the part: {first_line(exc)}") from exc
        return {spec.name: value.numpy() for spec, value in zip(self.outputs, out, strict=True)}
