"""Firmware built and run in QEMU."""
