"""onnxruntime on an emulated x86 processor of before 2019: AVX2 and no VNNI. The judge itself runs in the emulator."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from asked import Arrays, Question, answer, called

from edgekit.common import processors
from edgekit.errors import MissingExtra
from edgekit.formats.onnx.runner import OnnxRunner

NAME = "old x86"
WHAT = "onnxruntime {version} on an emulated Haswell (qemu), which adds products of bytes in 16 bits"
FORMS = ("laptop-int8",)
FILES = (".onnx",)
TIMEOUT = 600
#: See judge_arm.py.
LARGEST = 12_000_000
_INSIDE = "EDGEKIT_JUDGE_INSIDE"


def run(question: Question) -> list[Arrays]:
    if question.file.stat().st_size > LARGEST:
        raise ValueError(f"left out: emulation is slow, and parts above {LARGEST / 1e6:.0f} MB are not tried")
    return called(OnnxRunner(question.file, 1), question)


if __name__ == "__main__":
    if _INSIDE not in os.environ:
        emulator = shutil.which("qemu-x86_64")
        if emulator is None or platform.machine() != "x86_64":
            raise MissingExtra("there is no qemu-x86_64 here", hint="make phone-tools")
        os.environ[_INSIDE] = "1"
        os.execv(emulator, [emulator, "-cpu", "Haswell", sys.executable, *sys.argv])
    processors.FACTS = Path(os.devnull)  # the emulator shows the facts of the processor beneath it
    answer(version("onnxruntime"), run)
