"""32-bit RISC-V without vectors: portable C."""

from __future__ import annotations

from edgekit.targets.microcontroller.boards import KB, MB
from edgekit.targets.microcontroller.family import target

# An ESP32-C3 module.
TARGET = target("riscv32", processor="RISC-V rv32imac", layout="plain", flash=4 * MB, ram=320 * KB)
