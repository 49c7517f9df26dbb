"""What onnxruntime does beside computing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helpers.cases.onnx_cases import export

RUN = """
import sys
from edgekit.registry import find
runner = find("runtimes", "onnxruntime").load(__import__("pathlib").Path(sys.argv[1]), 1)
print(len(runner.inputs))
"""


def test_running_a_model_leaves_no_identifier_of_this_machine(tmp_path: Path) -> None:
    """Official builds of onnxruntime from 1.29 on keep one in the home folder, and report under it."""
    model = tmp_path / export(tmp_path, "fp32").file
    home = tmp_path / "home"
    home.mkdir()
    # CI=true and the like make onnxruntime silent by itself: the test would hold without our doing anything.
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH")}
    command = [sys.executable, "-I", "-c", RUN, str(model)]
    done = subprocess.run(command, env={**kept, "HOME": str(home)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))
