"""onnxruntime's own library for 64-bit Arm on an emulated processor of a phone, with instructions for byte products."""

from __future__ import annotations

from asked import Arrays, Question, questions, tell

from edgekit.errors import EdgekitError
from edgekit.targets.android.arm64 import emulated, onnx

NAME = "Arm"
WHAT = "onnxruntime {version} for 64-bit Arm on an emulated Cortex-A76 (qemu)"
FORMS = ("laptop-int8", "laptop-fp16", "laptop-fp32")
FILES = (".onnx",)
TIMEOUT = 400
#: Emulation takes some hundred times as long: whisper-base's encoder would take a quarter of an hour.
LARGEST = 12_000_000


def run(question: Question) -> tuple[list[Arrays], str]:
    answers, report = emulated.emulate(onnx.tools(), question.file, question.inputs, "cortex-a76")
    return answers, str(report["runtime"])


def main() -> None:
    for question in questions():
        size = question.file.stat().st_size
        if size > LARGEST:
            tell(question, "", reason=f"left out: emulation is slow, and parts above {LARGEST / 1e6:.0f} MB are not tried")
            continue
        try:
            outputs, version = run(question)
        except EdgekitError as exc:
            tell(question, "", reason=exc.message[:240])
        else:
            tell(question, version, outputs)


if __name__ == "__main__":
    main()
