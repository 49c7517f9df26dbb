"""Apple's Core AI for Linux behind the stub of its Swift module: a line of JSON for each call, one for its answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from coreai.authoring import AIModelAsset
from coreai.runtime import NDArray

#: Swift's name of a type -> NumPy's.
TYPES = {"Float": "float32", "Int32": "int32", "UInt8": "uint8", "Int8": "int8", "Bool": "bool"}


async def answer(question: dict[str, Any], functions: dict[str, Any], opened: contextlib.AsyncExitStack) -> Any:
    file = question["file"]
    if file not in functions:
        model = await opened.enter_async_context(AIModelAsset.load(Path(file)).executable())
        functions[file] = model.load_function("main")
    feeds = {}
    for name, array in question["inputs"].items():
        values = np.frombuffer(base64.b64decode(array["values"]), TYPES[array["type"]])
        feeds[name] = NDArray(np.ascontiguousarray(values.reshape(array["shape"], order="F")))
    outputs = {}
    for name, value in (await functions[file](feeds)).items():
        held = np.ascontiguousarray(value.numpy())
        kind = next(swift for swift, dtype in TYPES.items() if dtype == held.dtype.name)
        text = base64.b64encode(held.tobytes()).decode()
        outputs[name] = {"type": kind, "shape": list(held.shape), "values": text}
    return outputs


def main() -> None:
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Apple's runtime prints
    loop, functions, opened = asyncio.new_event_loop(), dict[str, Any](), contextlib.AsyncExitStack()
    for line in sys.stdin:
        try:
            said = {"outputs": loop.run_until_complete(answer(json.loads(line), functions, opened))}
        except Exception as exc:
            said = {"refused": f"{type(exc).__name__}: {exc}"}
        channel.write(json.dumps(said) + "\n")
        channel.flush()


if __name__ == "__main__":
    main()
