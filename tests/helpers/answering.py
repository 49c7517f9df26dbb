"""A process for the tests of `edgekit.runtimes.common.process`: it does what it is asked."""

from __future__ import annotations

import os
import time
from typing import Any

from edgekit.runtimes.common.process import serve


def _answer(words: Any, arrays: Any) -> Any:
    match words["do"]:
        case "double":
            return {"said": words["text"]}, {name: 2 * value for name, value in arrays.items()}
        case "print":
            print("a library talks", flush=True)
            os.write(1, b"{}\n")
            return {}, {}
        case "refuse":
            raise ValueError("no such\nlayer")
        case "hang":
            time.sleep(60)
        case "crash":
            os.write(2, b"assertion failed in vendor.cpp\n")
            os._exit(3)
        case "nonsense":
            os.write(int(words["channel"]), b"not json\n")
    return {}, {}


if __name__ == "__main__":
    serve(_answer)
