"""A .tflite in TensorFlow Lite Micro's own interpreter.

There is no single right output of an int8 network: runtimes round differently in the last place. This runtime is pinned
(extra ``micro``), and C code that edgekit generates equals it bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Checkpoint, Feeds, Part, Runner, TensorSpec
from edgekit.errors import BadInput, need
from edgekit.formats import tflite
from edgekit.formats.tflite.tensors import Side, read_specs, sides_of
from edgekit.runtimes.common.feeds import checked_feeds

#: Bytes for its tensors; its own estimate from the file's size is too small for small networks.
_ARENA = 8 << 20


def load(file: Path) -> Runner:
    """Open a .tflite; names and dtypes are those of the description beside it, or else the file's own.

    Raises:
        BadInput: it is damaged, or the interpreter refuses it. MissingExtra: `tflite_micro` is absent.
    """
    content = file.read_bytes()
    return _Converted(content, *sides_of(tflite.read(content).subgraphs[0], read_specs(file)))


def of_part(checkpoint: Checkpoint, part: Part) -> MicroRunner:
    """The network in a checkpoint of format ``"tflite"``, with the names that `part` gives its tensors.

    Raises:
        BadInput: the checkpoint is of another format, the interpreter refuses it, or it has other tensors than `part`.
        MissingExtra: `tflite_micro` is absent.
    """
    if checkpoint.format != "tflite":
        raise BadInput(
            f"{checkpoint.path.name} is not a .tflite, which the part {part.name!r} is made of.",
            hint="Give an int8 .tflite: --weights FILE.tflite",
        )
    return MicroRunner(checkpoint.path.read_bytes(), part.inputs, part.outputs)


class MicroRunner(Runner):
    """A .tflite in TensorFlow Lite Micro's interpreter on this machine.

    Args:
        content: the file's bytes. inputs, outputs: names for its tensors in order, with the dtypes and shapes they must
            have.
    """

    stateful = True

    def __init__(self, content: bytes, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        with need("micro", "Running a network as a microcontroller does"):
            from tflite_micro.python.tflite_micro import runtime
        if content[4:8] != b"TFL3":
            raise BadInput("this is not a .tflite file: it lacks the identifier TFL3.")
        self.inputs, self.outputs = inputs, outputs
        try:
            self._interpreter = runtime.Interpreter.from_bytes(bytes(content), arena_size=_ARENA + 8 * len(content))
            for side, specs in (("input", inputs), ("output", outputs)):
                self._check(side, specs)
        except (RuntimeError, ValueError) as exc:
            raise BadInput(f"TensorFlow Lite Micro refuses this .tflite: {exc}.") from exc

    def _check(self, side: str, specs: tuple[TensorSpec, ...]) -> None:
        for i, spec in enumerate(specs):
            facts = getattr(self._interpreter, f"get_{side}_details")(i)
            shape, dtype = tuple(int(size) for size in facts["shape"]), facts["dtype"].__name__
            if (dtype, shape) != (spec.dtype, spec.shape):
                raise BadInput(
                    f"{side} {i} of this .tflite is {dtype} {list(shape)}; the model needs {spec.dtype} "
                    f"{list(spec.shape)} for {spec.name!r}."
                )

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        for i, spec in enumerate(self.inputs):
            self._interpreter.set_input(np.ascontiguousarray(feeds[spec.name], spec.dtype), i)
        self._interpreter.invoke()
        return {spec.name: np.array(self._interpreter.get_output(i)) for i, spec in enumerate(self.outputs)}

    def reset(self) -> None:
        """Forget all state."""
        self._interpreter.reset()


class _Converted(Runner):
    """A `MicroRunner` whose caller has the dtypes of a description: integers of the file are numbers there."""

    stateful = True

    def __init__(self, content: bytes, ins: Side, outs: Side) -> None:
        self.inputs, self.outputs = tuple(ins.specs), tuple(outs.specs)
        self._ins, self._outs = ins, outs
        self._runner = MicroRunner(content, ins.own, outs.own)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        values = checked_feeds("TensorFlow Lite Micro", self.inputs, feeds)
        return self._outs.decode(self._runner(self._ins.encode(values)).values())

    def reset(self) -> None:
        """Forget all state."""
        self._runner.reset()
