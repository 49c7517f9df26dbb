"""onnxruntime's own library for 64-bit Arm on an emulated processor of a phone, with instructions for byte products."""

from __future__ import annotations

from asked import Arrays, Question, answer

from edgekit.targets.android.arm64 import emulated, onnx

NAME = "Arm"
WHAT = "onnxruntime {version} for 64-bit Arm on an emulated Cortex-A76 (qemu)"
FORMS = ("laptop-int8", "laptop-fp16", "laptop-fp32")
FILES = (".onnx",)
TIMEOUT = 400
#: Emulation takes some hundred times as long: whisper-base's encoder would take a quarter of an hour.
LARGEST = 12_000_000


def run(question: Question) -> list[Arrays]:
    return emulated.emulate(onnx.tools(), question.file, question.inputs, "cortex-a76")[0]


if __name__ == "__main__":
    onnx.tools()  # where they are absent, that is no answer to a question
    answer(onnx.LIBRARY.revision, run, largest=LARGEST)
