"""Judges that edgekit's own environment has, by their own packages or emulated: native.py NAME FOLDER..."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from asked import Arrays, Question, questions, tell
from frame import judges

from edgekit.common import processors
from edgekit.core import TensorSpec
from edgekit.registry import find
from edgekit.runtimes.tflite_micro.runner import MicroRunner
from edgekit.targets.android.arm64 import emulated, onnx

_INSIDE = "EDGEKIT_JUDGE_INSIDE"
Runner = Callable[[Arrays], Arrays]


def micro(question: Question) -> MicroRunner:
    inputs, outputs = (
        tuple(TensorSpec(one["name"], one["dtype"], tuple(one["shape"])) for one in question.facts[side])
        for side in ("inputs", "outputs")
    )
    return MicroRunner(question.file.read_bytes(), inputs, outputs)


def arm(question: Question) -> Runner:
    outputs = iter(emulated.emulate(onnx.tools(), question.file, question.inputs, "cortex-a76")[0])
    return lambda _feeds: next(outputs)


def opened(name: str) -> Callable[[Question], Runner]:
    """One of edgekit's runtimes."""
    return lambda question: find("runtimes", name).load(question.file, 1)


RUNNERS: Mapping[str, Callable[[Question], Runner]] = {
    "arm": arm,
    "old-x86": opened("onnxruntime"),
    "openvino": opened("openvino"),
    "litert": opened("litert"),
    "executorch": opened("executorch"),
    "tflm": micro,
}


def main(name: str) -> None:
    if name == "old-x86" and _INSIDE not in os.environ:  # the judge itself runs in the emulator
        os.environ[_INSIDE] = "1"
        os.execvp("qemu-x86_64", ["qemu-x86_64", "-cpu", "Haswell", sys.executable, *sys.argv])
    if name == "old-x86":
        processors.FACTS = Path(os.devnull)  # the emulator shows the facts of the processor beneath it
    (judge,) = (one for one in judges() if one.name == name)
    for question in questions():
        against = "fp32" if question.facts["exporter"] == judge.runs else "here"
        outputs, why = [], ""
        try:
            if against == "fp32" and not question.fp32:
                raise ValueError("its own file, and no float network with the same inputs to compare it with")
            if question.file.stat().st_size > judge.largest:
                raise ValueError(
                    f"left out: emulation is slow, and parts above {judge.largest / 1e6:.0f} MB are not tried"
                )
            runner = RUNNERS[name](question)
            outputs = [runner(feeds) for feeds in question.inputs]
        except Exception as exc:  # a runtime may raise anything
            said = next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
            why = said[:240]
        tell(question, version(judge.package), outputs, against, reason=why)


if __name__ == "__main__":
    main(sys.argv[1])
