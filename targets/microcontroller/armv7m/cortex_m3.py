"""Cortex-M3: portable C; no DSP extension, no floating point."""

from __future__ import annotations

from edgekit.targets.microcontroller.boards import KB
from edgekit.targets.microcontroller.family import target

# The larger of the common parts: STM32F103xE, STM32L152RE (which has 80 KB).
TARGET = target("cortex-m3", processor="Arm Cortex-M3 (Armv7-M)", layout="plain", flash=512 * KB, ram=64 * KB)
