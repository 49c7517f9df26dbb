"""onnxruntime on an emulated x86 processor that has AVX2 and no VNNI, as those of before 2019."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conftest import absent
from numpy.typing import NDArray

__all__ = ["answers_on"]

_PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from edgekit.common import processors
processors.FACTS = Path("/dev/null")  # the emulator shows the file of the processor beneath it
from edgekit.runtimes.onnxruntime.runner import OnnxRunner
runner = OnnxRunner(Path(sys.argv[1]), 1)
given = np.load(sys.argv[2])
np.save(sys.argv[3], np.concatenate([next(iter(runner({runner.inputs[0].name: one}).values())) for one in given]))
"""


def answers_on(processor: str, model: Path, calls: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The first output of every call, one after the other, of a model with one input. `processor`: a name of qemu's."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        absent("there is no qemu-x86_64; get it with: make phone-tools")
    assert emulator is not None
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npy", Path(folder) / "made.npy"
        np.save(given, np.stack(calls))
        command = [emulator, "-cpu", processor, sys.executable, "-c", _PROGRAM, str(model), str(given), str(made)]
        subprocess.run(command, check=True, capture_output=True, timeout=1800)
        answers: NDArray[Any] = np.load(made)
        return answers
