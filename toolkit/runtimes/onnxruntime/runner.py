"""Running an ONNX file with onnxruntime on the processor. All that the ``run`` extra needs."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekit.common.memory import give_back
from edgekit.common.packed import plain
from edgekit.common.processors import overflows_on_bytes, usable_processors
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import CannotRun, need
from edgekit.runtimes.common.feeds import first_line
from edgekit.runtimes.onnxruntime.arena import use_arena
from edgekit.runtimes.onnxruntime.tables import Tables

#: Bytes of a constant from which on a model in memory is run without it in its own bytes.
_LARGE = 1 << 16
#: ONNX's number of a dtype that numpy has -> bytes of a value.
_PLAIN = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 10: 2, 11: 8}
_DTYPES = {"float": "float32", "double": "float64", "float16": "float16"}


def without_telemetry() -> None:
    """To be called before onnxruntime is imported: from 1.29 on its official builds report to their makers."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class OnnxRunner(Runner):
    """One session.

    Args:
        model: a file, packed or not, or the bytes of a model. threads: within an operator. constants: initializers of
            the model that are not in its bytes, by name. hasty: for few calls. The graph is run as it is, and no
            weights are put in another order, which takes their memory again.

    Raises:
        BadInput: onnxruntime refuses the model.
        MissingExtra: onnxruntime is absent.
    """

    def __init__(
        self,
        model: Path | bytes,
        threads: int,
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        hasty: bool = False,
    ) -> None:
        without_telemetry()
        with need("run", "Running an ONNX model"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        if _has_neighbours(model):
            # Threads of this part would spin behind its run, and take processors from the next part (measured on two
            # processors: Whisper takes 1.5 times as long, Piper twice).
            options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 4  # errors come as exceptions
        if isinstance(model, Path):
            use_arena(onnxruntime, options)
        else:
            # A model in memory is of an export: what it answers is large, and an arena would keep as much for good.
            options.enable_cpu_mem_arena = False
        if hasty:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.add_session_config_entry("session.disable_prepacking", "1")
        if constants:
            self._constants = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in constants.values()]
            options.add_external_initializers(list(constants), self._constants)
        # Inputs change their length at every call: remembered allocation patterns would only grow.
        options.enable_mem_pattern = False
        with plain(model) if isinstance(model, Path) else contextlib.nullcontext(model) as whole:
            self._open(onnxruntime, whole, options)
        give_back()
        state = onnxruntime.capi.onnxruntime_pybind11_state
        self._refusals = (state.InvalidArgument, state.Fail, state.RuntimeException, state.NotImplemented)
        self.inputs = tuple(_spec(value) for value in self._session.get_inputs())
        self.outputs = tuple(_spec(value) for value in self._session.get_outputs())
        self._names = [spec.name for spec in self.outputs]

    def _open(self, onnxruntime: Any, model: Path | bytes, options: Any) -> None:
        what = model.name if isinstance(model, Path) else "the model"
        self._tables = Tables(model) if isinstance(model, Path) and model.is_file() else None
        arrays = self._tables.arrays if self._tables else {}
        # The session does not own these values.
        self._values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        for name, value in self._values.items():
            options.add_initializer(name, value)
        content = str(model) if isinstance(model, Path) else model
        # Exact kernels where the usual ones overflow. onnxruntime rewrites weights for them, and refuses to do so with
        # weights that two products share: such a network takes the usual kernels, as its export has said.
        exact = ["1", "0"] if overflows_on_bytes() else ["0"]
        for precise in exact:
            options.add_session_config_entry("session.x64quantprecision", precise)
            try:
                self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
                break
            except Exception as exc:  # onnxruntime's exceptions share no base but Exception
                if precise == exact[-1]:
                    raise CannotRun(
                        f"onnxruntime {onnxruntime.__version__} refuses {what}: {_describe_exception(exc)}"
                    ) from exc
        if self._tables:
            self._tables.forget()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Raises BadInput for a missing input or one of another dtype or shape."""
        try:
            values = self._session.run(self._names, feeds)
        except (ValueError, RuntimeError, MemoryError, *self._refusals) as exc:
            raise CannotRun(f"onnxruntime could not run the part: {_describe_exception(exc)}") from exc
        if self._tables:
            self._tables.forget()
        return dict(zip(self._names, values, strict=True))


def open_model(
    model: Any,
    outputs: Iterable[str] | None = None,
    more: Iterable[Any] = (),
    *,
    threads: int = 0,
    hasty: bool = False,
) -> OnnxRunner:
    """A session of a model in memory (onnx.ModelProto).

    Args:
        outputs: names of tensors that it gives in place of the graph's own. more: nodes behind the graph's. threads:
            0: all processors. hasty: see `OnnxRunner`.

    Raises:
        CannotRun: onnxruntime refuses the model.
    """
    from onnx import helper

    lean, constants = _without_constants(model)
    if outputs is not None:
        del lean.graph.output[:]
        lean.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
    lean.graph.node.extend(more)
    return OnnxRunner(lean.SerializeToString(), threads or usable_processors(), constants, hasty=hasty)


def evaluate(
    model: Any,
    feeds: Sequence[Feeds],
    outputs: Iterable[str] | None = None,
    more: Iterable[Any] = (),
    *,
    hasty: bool = False,
) -> list[dict[str, NDArray[Any]]]:
    """What a model in memory answers to every call (see `open_model`)."""
    return list(map(open_model(model, outputs, more, hasty=hasty), feeds))


def _without_constants(model: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """A copy of a model without its large constants, and these: to write them, to read and to copy them takes as long
    as to run the model, and several times its memory."""
    from onnx import ModelProto, TensorProto, numpy_helper

    lean, constants = ModelProto(), dict[str, NDArray[Any]]()
    _copy_fields(model, lean, "graph")
    _copy_fields(model.graph, lean.graph, "initializer")
    for tensor in model.graph.initializer:
        large = len(tensor.raw_data) >= _LARGE and tensor.data_type in _PLAIN
        # A tensor whose shape is not that of its bytes is the runtime's to refuse.
        if not large or math.prod(tensor.dims) * _PLAIN[tensor.data_type] != len(tensor.raw_data):
            lean.graph.initializer.append(tensor)
            continue
        constants[tensor.name] = numpy_helper.to_array(tensor)
        kept = {"name": tensor.name, "data_type": tensor.data_type, "dims": tensor.dims}
        stub = lean.graph.initializer.add(**kept, data_location=TensorProto.EXTERNAL)
        stub.external_data.add(key="location", value="memory")
    return lean, constants


def _copy_fields(source: Any, target: Any, left_out: str) -> None:
    """Copy the fields of a message of protobuf, but for one."""
    for field, value in source.ListFields():
        if field.name != left_out:
            if hasattr(value, "extend"):
                getattr(target, field.name).extend(value)
            else:
                setattr(target, field.name, value)


def _has_neighbours(model: Path | bytes) -> bool:
    """Whether a model is a part of several: they lie in one folder."""
    return isinstance(model, Path) and sum(1 for _ in model.parent.glob("*.onnx*")) > 1


def _spec(value: Any) -> TensorSpec:
    dtype = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(axis if isinstance(axis, (int, str)) else "?" for axis in value.shape)
    return TensorSpec(value.name, _DTYPES.get(dtype, dtype), shape)


def _describe_exception(exc: Exception) -> str:
    return first_line(exc).replace("std::bad_alloc", "it asks for more memory than is free")
