"""This machine: Linux, macOS or Windows on a laptop processor. Numbers measured here are of the target itself."""

from __future__ import annotations

from edgekit.core import Recipe, Target

TARGET = Target(
    name="laptop",
    system="any",
    processor="x86-64 or arm64, 2 cores or more",
    recipes={"*": Recipe("onnxruntime", "int8"), "text-generation": Recipe("llama-cpp", "q4_k_m")},
    device="host",
    ram=8_000_000_000,
    runtimes={
        "onnxruntime": "pip:onnxruntime=={version}",
        "openvino": "pip:openvino=={version}",
        "litert": "pip:ai-edge-litert=={version}",
        "executorch": "pip:executorch=={version}",
        "llama-cpp": "pip:llama-cpp-python=={version}",
    },
)
