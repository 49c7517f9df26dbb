"""Android phones, arm64, through onnxruntime-android. Claims about phones are measured on phones."""

from __future__ import annotations

from edgekit.core import Device, Measured, Recipe, Target, Trial
from edgekit.targets.android.adb import phone
from edgekit.targets.android.arm64 import emulated
from edgekit.targets.android.boards import BOARDS
from edgekit.targets.android.forms import aar, apk, gradle, kit


def _measure(trial: Trial) -> Measured:
    """What measuring on a phone needs is loaded when a phone is asked for."""
    from edgekit.targets.android.adb import bench

    return bench.measure(trial)


TARGET = Target(
    name="android",
    system="Android 8 or later",
    processor="arm64-v8a",
    recipes={"*": Recipe("onnxruntime", "int8"), "text-generation": Recipe("llama-cpp", "q4_k_m")},
    device=None,
    devices={"adb": Device(_measure, phone.state)},
    prove=emulated.prove,
    download=200_000_000,
    store="Google Play delivers at most 200 MB with a base module; what is larger needs an asset pack: "
    "--download 1GB, then package --as gradle",
    # A phone of 4 GB leaves an app in the foreground about a gigabyte before the system starts to kill.
    ram=1_000_000_000,
    forms={"gradle": gradle.FORM, "aar": aar.FORM, "apk": apk.FORM, "kit": kit.FORM},
    boards=BOARDS,
    runtimes={
        "onnxruntime": "maven:com.microsoft.onnxruntime:onnxruntime-android:{version}",
        # It opens the plain graph; the context binary takes Qualcomm's plug-in besides (docs/accelerators.md).
        "qnn": "maven:com.microsoft.onnxruntime:onnxruntime-android:{version}",
        "litert": "maven:com.google.ai.edge.litert:litert:{version}",
        "executorch": "maven:org.pytorch:executorch-android:{version}",
        "llama-cpp": "llama.cpp as of llama-cpp-python {version}, built with the NDK",
    },
)
