"""iPhones and iPads, through Core ML; through LiteRT for networks that come as .tflite.

Claims about devices are measured on devices.
"""

from __future__ import annotations

from edgekit.core import Recipe, Target
from edgekit.targets.ios import swift

TARGET = Target(
    name="ios",
    system="iOS 16 or later",
    processor="arm64, neural engine",
    recipes={"*": Recipe("coreml", "fp16"), "text-generation": Recipe("llama-cpp", "q4_k_m")},
    device=None,
    download=200_000_000,
    store="the App Store asks before it loads more than 200 MB over a mobile network; an app may have 4 GB "
    "(--download 1GB)",
    # Where an app in the foreground is safe on an iPhone of 4 GB.
    ram=1_500_000_000,
    forms={"swift": swift.FORM},
    runtimes={
        "coreml": "system: Core ML",
        "coreai": "system: Core AI of iOS 27 or later (experimental)",
        "onnxruntime": "swiftpm:github.com/microsoft/onnxruntime-swift-package-manager {version}",
        # Pods have TensorFlow's versions, and not those of the package that runs the files here.
        "litert": "cocoapods:TensorFlowLiteSwift 2.17.0",
        "executorch": "swiftpm:github.com/pytorch/executorch swiftpm-{version}",
        "llama-cpp": "llama.cpp as of llama-cpp-python {version}, built with Xcode",
    },
)
