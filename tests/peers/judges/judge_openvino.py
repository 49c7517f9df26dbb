"""OpenVINO: the ONNX files of a laptop's bundle, read by another runtime than the one they were made for."""

from __future__ import annotations

from importlib.metadata import version

from asked import answer, called

from edgekit.exporters.openvino.runner import OpenvinoRunner

NAME = "OpenVINO"
WHAT = "OpenVINO {version}, native, on the ONNX files that were made for onnxruntime"
FORMS = ("laptop-int8", "laptop-fp16", "laptop-fp32")
FILES = (".onnx",)
TIMEOUT = 300

if __name__ == "__main__":
    answer(version("openvino"), lambda question: called(OpenvinoRunner(question.file, 1), question))
