"""onnxruntime on an emulated x86 processor of before 2019: AVX2 and no VNNI. The judge itself runs in the emulator."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from asked import answer, called

from edgekit.common import processors
from edgekit.formats.onnx.runner import OnnxRunner

NAME = "old x86"
WHAT = "onnxruntime {version} on an emulated Haswell (qemu), which has no exact products of bytes; int8 alone"
FORMS = ("laptop-int8",)
FILES = (".onnx",)
TIMEOUT = 600
#: Some seconds for MiniLM; larger ones take minutes.
LARGEST = 40_000_000
_INSIDE = "EDGEKIT_JUDGE_INSIDE"

if __name__ == "__main__":
    if _INSIDE not in os.environ:
        os.environ[_INSIDE] = "1"
        os.execvp("qemu-x86_64", ["qemu-x86_64", "-cpu", "Haswell", sys.executable, *sys.argv])
    processors.FACTS = Path(os.devnull)  # the emulator shows the facts of the processor beneath it
    answer(version("onnxruntime"), lambda question: called(OnnxRunner(question.file, 1), question), largest=LARGEST)
