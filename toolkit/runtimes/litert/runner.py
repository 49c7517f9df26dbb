"""Running a .tflite with LiteRT on the processor. All that the ``run`` extra needs of this room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.common.quiet import quiet
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import BadInput, CannotRun, need
from edgekit.formats import tflite
from edgekit.formats.descriptions import Specs
from edgekit.formats.tflite.tensors import decode_value, encode_value, read_specs
from edgekit.runtimes.common.feeds import checked_feeds, first_line

#: Operators that remember something between calls.
_STATEFUL = {
    "VAR_HANDLE", "SVDF", "RNN", "LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
    "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN",
}  # fmt: skip

#: What the interpreter calls a graph of XNNPACK.
_DELEGATE = "DELEGATE"


def load(file: Path, threads: int) -> LitertRunner:
    """Open a .tflite with the description beside it; without one, tensors have the file's own names and dtypes.

    Raises:
        BadInput: the file or its description is not there, damaged, or LiteRT refuses it.
    """
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise CannotRun(f"LiteRT refuses {file.name}: {exc.strerror}.") from exc
    try:
        graph = tflite.read(content, dynamic=True)  # LiteRT follows a file's offsets unchecked
    except BadInput as exc:
        raise CannotRun(f"LiteRT refuses {file.name}: {exc.message}", hint=exc.hint) from exc
    return open_runner(content, threads, read_specs(file), file.name, graph)


def open_runner(content: bytes, threads: int, specs: Specs | None, what: str, graph: tflite.Graph) -> LitertRunner:
    """A runner for the file's bytes, which are those of `graph`. Raises as `LitertRunner`."""
    kind = StatefulRunner if _STATEFUL & {op.name for one in graph.subgraphs for op in one.operators} else LitertRunner
    return kind(content, threads, specs, what)


class LitertRunner(Runner):
    """One interpreter.

    Args:
        content: the file's bytes, known to be sound. threads: within an operator.
        specs: names, dtypes and shapes that inputs and outputs have for the caller, in the file's order; None: its own.
        reference: compute with the reference kernels, which are slow and the same everywhere.
        watched: keep every tensor's values after a call.

    Raises:
        BadInput: LiteRT refuses the model, or it has other tensors than `specs`. MissingExtra: no ai-edge-litert.
    """

    def __init__(
        self,
        content: bytes,
        threads: int = 1,
        specs: Specs | None = None,
        what: str = "the model",
        reference: bool = False,
        watched: bool = False,
    ) -> None:
        with need("run", "Running a .tflite model"):
            from ai_edge_litert import interpreter as litert
        kinds = litert.OpResolverType
        self._made = {
            "model_content": content,
            "num_threads": threads,
            "experimental_op_resolver_type": kinds.BUILTIN_REF if reference else kinds.AUTO,
            "experimental_preserve_all_tensors": watched,
        }
        self._litert, self._what = litert, what
        self._open()
        self._ins, self._outs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        own = tuple(tuple(_spec(facts) for facts in side) for side in (self._ins, self._outs))
        for side, wanted, found in zip(("inputs", "outputs"), specs or own, own, strict=True):
            if len(wanted) != len(found):
                raise BadInput(f"{what} has {len(found)} {side}; its description has {len(wanted)}.")
        self.inputs, self.outputs = (tuple(side) for side in specs or own)

    def _open(self) -> None:
        try:
            with quiet():
                self._interpreter = self._litert.Interpreter(**self._made)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise CannotRun(f"LiteRT refuses {self._what}: {first_line(exc)}") from exc

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Raises BadInput for a missing input or one of another dtype or shape."""
        values = checked_feeds("LiteRT", self.inputs, feeds)
        try:
            self._resize(values)
            for facts, value in zip(self._ins, values, strict=True):
                dtype = np.dtype(facts["dtype"])
                self._interpreter.set_tensor(
                    facts["index"], encode_value(value, dtype, facts["quantization"], facts["name"])
                )
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            self._open()  # what failed half-way may not be used again
            raise CannotRun(f"LiteRT could not run the part: {first_line(exc)}") from exc
        return {
            spec.name: decode_value(self._interpreter.get_tensor(facts["index"]), spec.dtype, facts["quantization"])
            for facts, spec in zip(self._outs, self.outputs, strict=True)
        }

    def pieces(self) -> list[tuple[set[int], set[int]]]:
        """The tensors that each graph of XNNPACK in this interpreter takes, and those that it gives."""
        nodes = self._interpreter._get_ops_details()
        return [(set(node["inputs"]), set(node["outputs"])) for node in nodes if node["op_name"] == _DELEGATE]

    def _resize(self, values: Sequence[NDArray[Any]]) -> None:
        """Tell the interpreter of other sizes of dynamic axes."""
        changed = False
        for facts, value in zip(self._interpreter.get_input_details(), values, strict=True):
            if tuple(facts["shape"]) != value.shape:
                self._interpreter.resize_tensor_input(facts["index"], value.shape, strict=True)
                changed = True
        if changed:
            with quiet():
                self._interpreter.allocate_tensors()


class StatefulRunner(LitertRunner):
    """A model that remembers: a stream is fed call by call."""

    stateful = True

    def reset(self) -> None:
        """Forget all state. Resource variables are only forgotten with their interpreter."""
        self._open()


def _spec(facts: Any) -> TensorSpec:
    signature = facts["shape_signature"] if len(facts["shape_signature"]) else facts["shape"]
    shape = tuple(int(size) if size >= 0 else f"axis{i}" for i, size in enumerate(signature))
    return TensorSpec(str(facts["name"]), np.dtype(facts["dtype"]).name, shape)
