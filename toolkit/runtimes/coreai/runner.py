"""An asset in Apple's runtime, which runs in a process of its own; and what that process does.

``python -m edgekit.runtimes.coreai.runner`` is the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.common.lazy import NDArray, np
from edgekit.core import Feeds, Runner
from edgekit.runtimes.common.feeds import checked_feeds
from edgekit.runtimes.common.process import Process, serve
from edgekit.runtimes.coreai.description import read_specs

if TYPE_CHECKING:
    Arrays = Mapping[str, NDArray[Any]]

#: Seconds of a call, and of the first one, which opens the asset: a second for the largest parts that were tried.
_SECONDS = 300
#: Our dtype -> the one that Core AI takes in its place.
_HELD = {"int64": "int32", "float64": "float32"}


class CoreaiRunner(Runner):
    """A part. Raises BadInput: it is no asset that edgekit wrote. A call raises CannotRun where Apple's runtime refuses
    it, crashes, or takes too long."""

    def __init__(self, file: Path) -> None:
        self.inputs, self.outputs = read_specs(file)
        self._file = str(file.resolve())
        self._process = Process(__name__, "Core AI", _SECONDS)

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        values = checked_feeds("Core AI", self.inputs, feeds)
        given = {
            spec.name: value.astype(_HELD.get(spec.dtype, spec.dtype))
            for spec, value in zip(self.inputs, values, strict=True)
        }
        _, made = self._process.ask({"file": self._file}, given)
        return {spec.name: made[spec.name].astype(spec.dtype) for spec in self.outputs}


class _Assets:
    """The assets that this process has opened."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open = contextlib.AsyncExitStack()
        self._functions: dict[str, Any] = {}

    def answer(self, words: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        return {}, self._loop.run_until_complete(self._compute(str(words["file"]), arrays))

    async def _compute(self, file: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
        from coreai.authoring import AIModelAsset
        from coreai.runtime import NDArray

        if file not in self._functions:
            model = await self._open.enter_async_context(AIModelAsset.load(file).executable())
            self._functions[file] = model.load_function("main")
        made = await self._functions[file]({name: NDArray(value) for name, value in arrays.items()})
        return {name: np.array(value.numpy()) for name, value in made.items()}


if __name__ == "__main__":
    serve(_Assets().answer)
