"""Looking at the tensors inside of a .tflite while it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds
from edgekit.formats.descriptions import Specs
from edgekit.runtimes.litert.runner import LitertRunner


class Watcher(LitertRunner):
    """A runner that shows what it computes on the way."""

    def __init__(self, content: bytes, specs: Specs, threads: int) -> None:
        super().__init__(content, threads, specs, watched=True)

    def tensors(self, feeds: Feeds, names: Collection[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
        """Run once; then (name, real values) of the tensors in `names`, without it of every float one.

        Constants are among them. Values that are not finite are left out.
        """
        self(feeds)
        for facts in self._interpreter.get_tensor_details():
            if not facts["name"] or (facts["name"] not in names if names else facts["dtype"] is not np.float32):
                continue
            try:
                values = self._interpreter.get_tensor(facts["index"])
            except ValueError:  # the runtime has no memory for it
                continue
            if values.dtype == np.int8:
                scale, zero = facts["quantization"]
                values = (values.astype(np.float32) - zero) * np.float32(scale)
            if values.ndim and values.size and np.isfinite(values).all():
                yield facts["name"], values
