"""Emulated 64-bit Arm processors."""
