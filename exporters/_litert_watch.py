"""Looking at the tensors inside of a .tflite while it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit import tflite
from edgekit.core import Feeds
from edgekit.exporters._litert_runner import LitertRunner, Specs

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Watcher(LitertRunner):
    """A runner that shows what it computes on the way.

    Args:
        plain: without XNNPACK, which is some ten times faster but fuses operators, and leaves garbage where the tensor
            between them was. What it makes of a PAD before a convolution is known and repaired here; `trusted` tells
            whether there is more.
    """

    def __init__(self, content: bytes, specs: Specs, threads: int, plain: bool = False) -> None:
        super().__init__(content, threads, specs, watched=True, plain=plain)
        main = tflite.read(content).subgraphs[0]
        self._count = len(main.tensors)
        self._padded = {
            op.outputs[0]: (op.inputs[0], main.tensors[op.inputs[1]].data) for op in main.operators if op.name == "PAD"
        }

    def tensors(self, feeds: Feeds, names: Collection[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
        """Run once; then (name, real values) of the tensors in `names`, without it of every float one.

        Constants are among them. Values that are not finite are left out.
        """
        self(feeds)
        details = {facts["index"]: facts for facts in self._interpreter.get_tensor_details()}
        details = {index: facts for index, facts in details.items() if index < self._count}  # no kernel's temporaries
        for index, facts in details.items():
            if not facts["name"] or (facts["name"] not in names if names else facts["dtype"] is not np.float32):
                continue
            source, padding = self._padded.get(index, (index, None))
            values = self._real(details[source])
            if values is not None and padding is not None:
                values = np.pad(values, padding)
            if values is not None and values.ndim and values.size and np.isfinite(values).all():
                yield facts["name"], values

    def _real(self, facts: Any) -> NDArray[Any] | None:
        try:
            values: NDArray[Any] = self._interpreter.get_tensor(facts["index"])
        except ValueError:  # the runtime has no memory for it
            return None
        if values.dtype == np.int8:
            scale, zero = facts["quantization"]
            values = (values.astype(np.float32) - zero) * np.float32(scale)
        return values


def trusted(content: bytes, specs: Specs, threads: int, feeds: Feeds) -> bool:
    """Whether XNNPACK shows the same tensors of the float model `content` as kernels that fuse nothing."""
    fast, plain = (dict(Watcher(content, specs, threads, plain).tensors(feeds)) for plain in (False, True))
    return fast.keys() == plain.keys() and all(
        float(np.abs(values - plain[name]).max()) <= 0.01 * float(np.abs(plain[name]).max()) + 1e-6
        for name, values in fast.items()
    )
