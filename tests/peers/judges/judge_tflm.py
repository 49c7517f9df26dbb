"""TensorFlow Lite Micro: the .tflite of a firmware beside the C that was generated from it."""

from __future__ import annotations

from importlib.metadata import version

from asked import Question, answer, called

from edgekit.core import TensorSpec
from edgekit.formats.tflite.micro import MicroRunner

NAME = "TFLM"
WHAT = "TensorFlow Lite Micro {version}, native: the firmware's C must give the same, bit for bit"
FORMS = ("cortex-m55",)
FILES = (".tflite",)
TIMEOUT = 120


def opened(question: Question) -> MicroRunner:
    inputs, outputs = (
        tuple(TensorSpec(one["name"], one["dtype"], tuple(one["shape"])) for one in question.facts[side])
        for side in ("inputs", "outputs")
    )
    return MicroRunner(question.file.read_bytes(), inputs, outputs)


if __name__ == "__main__":
    answer(version("tflite-micro"), lambda question: called(opened(question), question))
