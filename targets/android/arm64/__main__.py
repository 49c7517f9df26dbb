"""``python -m edgekit.targets.android.arm64``: fetches and compiles what emulated 64-bit Arm processors run."""

import sys
from pathlib import Path

from edgekit.errors import run_command
from edgekit.targets.android.arm64 import litert, onnx


def _programs() -> list[Path]:
    return [tools.program for tools in (onnx.tools(), litert.tools())]


if __name__ == "__main__":
    sys.exit(run_command(_programs))
