"""Cortex-M55: Helium, vectors of 16 bytes; and Arm's Ethos-U beside it."""

from __future__ import annotations

from edgekit.targets.microcontroller.boards import MB
from edgekit.targets.microcontroller.family import target

# What the smaller parts have, such as the Ensemble E1.
TARGET = target(
    "cortex-m55",
    processor="Arm Cortex-M55 (Armv8.1-M with Helium)",
    layout="helium",
    flash=2 * MB,
    ram=1 * MB,
    accelerators={
        "ethos-u": "for ethos-u/network.tflite: Arm's ethos-u-core-driver, and TensorFlow Lite Micro with its "
        "operator ethos-u; without the unit nothing: plain C99, see firmware/README.md"
    },
)
