"""Running an ONNX file with OpenVINO on the processor."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from numpy.typing import NDArray

from edgekit.common.packed import plain
from edgekit.core import Feeds, Runner, TensorSpec
from edgekit.errors import CannotRun, need
from edgekit.runtimes.common.feeds import checked_feeds
from edgekit.runtimes.openvino import signal_stack

_DTYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "boolean": "bool", "u8": "uint8", "i8": "int8"}


def import_openvino() -> Any:
    """The package ``openvino``, without the part that tells its makers of every start, from a forked process."""
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    import openvino

    return openvino


class OpenvinoRunner(Runner):
    """One compiled network and one request.

    Args:
        model: an ONNX file, packed or not. threads: within an operator.

    Raises:
        BadInput: OpenVINO refuses the model. MissingExtra: OpenVINO is absent.
    """

    def __init__(self, model: Path, threads: int) -> None:
        with need("openvino", "Running a model with OpenVINO"):
            openvino = import_openvino()
        # One call at a time; and float means float32, also where a processor has bfloat16.
        wish = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            with signal_stack.preserve_signal_stack():
                with plain(model) as whole:
                    self._compiled = openvino.Core().compile_model(str(whole), "CPU", wish)
                self._request = self._compiled.create_infer_request()
        except Exception as exc:  # OpenVINO's exceptions share no base but Exception
            raise CannotRun(f"OpenVINO {openvino.__version__} refuses {model.name}: {_reason(exc)}") from exc
        self._tensor = openvino.Tensor
        self.inputs = tuple(_spec(port) for port in self._compiled.inputs)
        self.outputs = tuple(_spec(port) for port in self._compiled.outputs)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Raises BadInput for a missing input or one of another dtype or shape."""
        given = checked_feeds("OpenVINO", self.inputs, feeds)
        try:
            # Bound by hand: handing `infer` the arrays costs a twentieth of a small network's time.
            for i, value in enumerate(given):
                self._request.set_input_tensor(i, self._tensor(value, shared_memory=True))
            self._request.infer()
        except (RuntimeError, ValueError, TypeError) as exc:
            raise CannotRun(
                f"OpenVINO could not run the part: {_reason(exc)}",
                hint="Choose --runtime onnxruntime, or another precision.",
            ) from exc
        # The next call writes into the same memory.
        return {spec.name: self._request.get_output_tensor(i).data.copy() for i, spec in enumerate(self.outputs)}

    def kernels(self) -> list[tuple[list[str], str]]:
        """Operators as they run here, in their order: the names that each has in the file, and its kernel
        (``"brgconv_avx512_I8"``, ``"ref_f32"``). After a call, those for its sizes."""
        infos = [node.get_rt_info() for node in self._compiled.get_runtime_model().get_ordered_ops()]
        facts = [[str(info[key].astype(str)) for key in ("originalLayersNames", "primitiveType")] for info in infos]
        return [(names.split(","), kernel) for names, kernel in facts]


def _spec(port: Any) -> TensorSpec:
    dtype = str(port.element_type.get_type_name())
    sizes = [size.get_length() if size.is_static else f"axis{i}" for i, size in enumerate(port.partial_shape)]
    integers = dtype.replace("i", "int", 1).replace("u", "uint", 1)
    return TensorSpec(_name(port), _DTYPES.get(dtype, integers), tuple(sizes))


def _name(port: Any) -> str:
    """What the file calls an input or output. A tensor that is only another view of one has the names of both."""
    own = str(port.get_node().get_friendly_name()).rpartition("/sink_port_")[0]
    return own if own in port.names else str(port.any_name)


def _reason(exc: Exception) -> str:
    """The last line that says something: OpenVINO puts where it happened before what happened."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(exc).__name__
