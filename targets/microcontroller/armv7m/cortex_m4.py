"""Cortex-M4, and the M33, which has the same DSP extension: two 16-bit products an instruction."""

from __future__ import annotations

from edgekit.targets.microcontroller.boards import KB, MB
from edgekit.targets.microcontroller.family import target

# A common size: nRF52840, STM32L496.
TARGET = target(
    "cortex-m4", processor="Arm Cortex-M4F (Armv7E-M) or M33 with DSP", layout="dsp", flash=1 * MB, ram=256 * KB
)
