"""Cortex-M7: the DSP extension, two instructions at a time."""

from __future__ import annotations

from edgekit.targets.microcontroller.boards import KB, MB
from edgekit.targets.microcontroller.family import target

# A common size: STM32F767, STM32H743 (the largest piece of its RAM).
TARGET = target("cortex-m7", processor="Arm Cortex-M7 (Armv7E-M)", layout="dsp", flash=2 * MB, ram=512 * KB)
