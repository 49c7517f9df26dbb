"""A ready .tflite in LiteRT's own interpreter, as the reference of the same file in a bundle for LiteRT.

Such a file goes into the bundle as it is, so parity says that nothing was changed on the way, and that it runs.
(TensorFlow Lite Micro, the reference on chips, rounds a few int8 sums otherwise; see docs/wakewords.md.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import Checkpoint, Feeds, Part, Runner
from edgekit.errors import BadInput, need

__all__ = ["LitertReference"]


class LitertReference(Runner):
    """A runner with the names that `part` gives the file's tensors, in order.

    Args:
        stateful: whether the network keeps state between calls.

    Raises:
        BadInput: the checkpoint is no .tflite, LiteRT refuses it, or it has other tensors. MissingExtra: no LiteRT.
    """

    def __init__(self, checkpoint: Checkpoint, part: Part, *, stateful: bool = True) -> None:
        self.stateful = stateful
        with need("run", "Running a .tflite model"):
            from ai_edge_litert import interpreter as litert
        self.inputs, self.outputs = part.inputs, part.outputs
        self._litert, self._content = litert, checkpoint.path.read_bytes()
        self.reset()
        for details, specs in ((self._ins, self.inputs), (self._outs, self.outputs)):
            stored = [(np.dtype(item["dtype"]).name, tuple(int(size) for size in item["shape"])) for item in details]
            wanted = [(spec.dtype, spec.shape) for spec in specs]
            if stored != wanted:
                raise BadInput(f"the .tflite has the tensors {stored}; the part {part.name!r} needs {wanted}.")

    def reset(self) -> None:
        """Forget all state: variables are only forgotten with their interpreter."""
        try:
            self._interpreter = self._litert.Interpreter(model_content=self._content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise BadInput(f"LiteRT refuses this .tflite: {exc}.") from exc
        self._ins, self._outs = self._interpreter.get_input_details(), self._interpreter.get_output_details()

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        for spec, details in zip(self.inputs, self._ins, strict=True):
            self._interpreter.set_tensor(details["index"], np.asarray(feeds[spec.name], spec.dtype, order="C"))
        self._interpreter.invoke()
        return {
            spec.name: self._interpreter.get_tensor(details["index"])
            for spec, details in zip(self.outputs, self._outs, strict=True)
        }
